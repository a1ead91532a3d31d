"""How inconsistent is an answer with itself? One file per way, all with one contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from selfstudy.errors import RecipeError
from selfstudy.probe.scorers.agreement import Agreement
from selfstudy.probe.scorers.selfcheck_nli import SelfCheckNLI
from selfstudy.records import Answer, Question, Score

if TYPE_CHECKING:
    from selfstudy.models import Models


class Scorer(Protocol):
    """Judges answers by their own samples."""

    @property
    def name(self) -> str:
        """What its scores are called in records: its key in SCORERS."""

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """One score per answer, in order; questions[i] is what answers[i] answers.

        A value is in [0, 1], higher = less consistent; an answer that cannot be judged gets value None and an
        error. Failed samples are left out.
        """


SCORERS: dict[str, Callable[[Models], Scorer]] = {
    "selfcheck-nli": lambda models: SelfCheckNLI(models.nli),
    "agreement": lambda models: Agreement(),
}
"""All scorers: a name and what builds it from the loaded models."""


def make_scorer(name: str, models: Models) -> Scorer:
    """The scorer called `name`.

    Raises:
        RecipeError: there is none.
    """
    if name not in SCORERS:
        raise RecipeError(f"no scorer named {name!r}", f"choose one of: {', '.join(SCORERS)}")
    return SCORERS[name](models)
