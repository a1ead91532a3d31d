"""The table of suites: which block of `verify.suites` is which suite, what it needs, and what it measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy.recipe.suites import LMEvalBlock, SuiteBase
from selfstudy.verify.suites.base import Suite

Need = Literal["judge", "library", "nli", "log-probabilities", "lm-eval"]
"""What a suite may want beside the model that is asked; each in the word that a person is told."""


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """One row.

    Attributes:
        make: the suite of a block, with the recipe's seed; reads and checks its data.
        needs: of the block, without which it cannot be asked; `may_use`: what it can do without.
        measures: its figures, for people.
    """

    block: type[SuiteBase]
    make: Callable[[Any, int], Suite]
    says: str
    measures: str
    needs: Callable[[Any], tuple[Need, ...]] = lambda block: ()
    may_use: tuple[Need, ...] = ()


def _lm_eval(block: LMEvalBlock, seed: int) -> Suite:
    from selfstudy.verify.suites.lm_eval_tasks import LMEvalSuite

    return LMEvalSuite.of(block, seed)


SUITES: Mapping[str, SuiteRow] = {
    "lm-eval": SuiteRow(
        LMEvalBlock,
        _lm_eval,
        "tasks of lm-eval, by our own models: lm-eval:TASK",
        "what each task measures of single items",
        lambda block: ("lm-eval",),
        ("log-probabilities",),
    ),
}


def make_suite(block: SuiteBase, seed: int) -> Suite:
    """The suite of a block of a recipe; its data is read and checked, and no model is needed.

    Raises:
        SelfstudyError: the data is missing, empty or wrong; or what the suite is made with is not installed.
    """
    return SUITES[name_of_block(block)].make(block, seed)


def name_of_block(block: SuiteBase) -> str:
    """The name of a suite's block, as recipes have it."""
    return str(getattr(block, "name", ""))


def settings_of(block: SuiteBase) -> dict[str, Any]:
    """What tells a suite from the same one asked otherwise: all of its block but the name and the margin."""
    return block.model_dump(mode="json", exclude={"name", "margin"})
