"""How inconsistent is an answer with itself? One file per way, all with one contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfstudy.errors import RecipeError
from selfstudy.probe.scorers.agreement import Agreement
from selfstudy.probe.scorers.base import Scorer
from selfstudy.probe.scorers.selfcheck_nli import SelfCheckNLI
from selfstudy.prompts import Prompts
from selfstudy.recipe import ProbeBlock

if TYPE_CHECKING:
    from selfstudy.models import Models

__all__ = ["SCORERS", "Scorer", "Tools", "make_scorer"]


@dataclass(frozen=True)
class Tools:
    """What scorers are built from.

    Attributes:
        models: the language model that answered, its judge, the entailment model, the embedder.
        prompts: the templates `support` and `grade`.
        block: the recipe's settings.
        seed: of what a scorer samples itself.
    """

    models: Models
    prompts: Prompts = field(default_factory=Prompts)
    block: ProbeBlock = field(default_factory=ProbeBlock)
    seed: int = 0


SCORERS: dict[str, Callable[[Tools], Scorer]] = {
    "selfcheck-nli": lambda tools: SelfCheckNLI(tools.models.nli),
    "agreement": lambda tools: Agreement(),
}
"""All scorers: a name and what builds it."""


def make_scorer(name: str, tools: Tools) -> Scorer:
    """The scorer called `name`.

    Raises:
        RecipeError: there is none.
    """
    if name not in SCORERS:
        raise RecipeError(f"no scorer named {name!r}", f"choose one of: {', '.join(SCORERS)}")
    return SCORERS[name](tools)
