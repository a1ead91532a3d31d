"""What every suite is: items asked of a model, each measured, and figures over them, before and after.

A suite is one file beside this one, and a row in table.py.  It gets a model and what it may judge with; it
knows nothing of runs, recipes' other blocks or gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from selfstudy.models.base import EntailmentModel, LanguageModel, Progress
from selfstudy.prompts import Prompts
from selfstudy.records import Completion, SuiteItem

if TYPE_CHECKING:
    from selfstudy.judging.judge import Judge
    from selfstudy.library.retriever import Retriever


@dataclass(frozen=True, slots=True)
class SuiteTools:
    """What a suite may use beside the model that is asked; None: the recipe has none.

    Attributes:
        nli: what judges entailment, documents as its recipe says (`by_sentence.for_citations`).
        judge: what grades answers; never the model that is taught, or `judged_by_itself` says so.
        retriever: finds passages to check facts against.
    """

    prompts: Prompts
    nli: EntailmentModel | None = None
    judge: Judge | None = None
    retriever: Retriever | None = None
    judged_by_itself: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a suite.

    Attributes:
        name: of the figure, such as "mc1".
        part: the part of an item whose mean it is, over the items that have it; with `per` the sum of it over
            the sum of that other part (perplexity: nats over tokens), over those that have both.
        exp: e to the power of that.
        better: whether higher or lower is better; "neither": it only says something beside others.
        main: what a gate goes by, one per suite; its margin is in this figure's own unit.
        only_after: it compares answers with those before, so the model before has none.
        neutral: what such a figure is where nothing changed; None: it says nothing of better or worse.
    """

    name: str
    part: str
    per: str | None = None
    exp: bool = False
    better: Literal["higher", "lower", "neither"] = "higher"
    main: bool = False
    only_after: bool = False
    neutral: float | None = None
    explanation: str = field(default="", compare=False)


def failure(said: Completion) -> str | None:
    """Why a model gave no answer; None if it did."""
    return (said.error or "the model gave no answer") if said.finish == "error" else None


class Suite(Protocol):
    """One suite with its data read and checked; making one costs no model."""

    @property
    def name(self) -> str: ...

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What is reported of its items, the main one first."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know beside the figures: who judged, what was left out, how many items."""

    def __len__(self) -> int:
        """Items asked of each model."""

    def run(
        self,
        lm: LanguageModel,
        tools: SuiteTools,
        arm: Literal["base", "taught"],
        before: Sequence[SuiteItem] = (),
        done: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> Iterator[list[SuiteItem]]:
        """Asks the model; items come in blocks, each asked and judged as one batch, in a fixed order.

        A block with an item that is not in `done` (`SuiteItem.item`) is done again as a whole, so that a
        resumed run ends as an undisturbed one.  An item that failed has an error and no parts.

        Args:
            before: the items of the model before teaching, for suites that compare answers.

        Raises:
            ModelError: the model, or the tools, cannot do what the suite needs at all.
        """
