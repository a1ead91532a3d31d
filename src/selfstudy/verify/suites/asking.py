"""Suites asked of the arms of a round, block by block, with what a kill left taken up again.

Knows suites by their contract alone (base.py); nothing of what they ask, nor of figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from selfstudy.models.base import LanguageModel, NoLogprobsError, Progress
from selfstudy.prompts import Prompts
from selfstudy.records import Arm, Failure, SuiteItem
from selfstudy.run import Round
from selfstudy.run.first_records import FirstRecords
from selfstudy.verify.suites.base import Suite, SuiteTools
from selfstudy.verify.suites.kept import KeptSuite, keep_suite, kept_suites, require_same

if TYPE_CHECKING:
    from selfstudy.progress import Reporter

SuiteArm = Literal["base", "taught", "weaker"]
ARMS: tuple[SuiteArm, ...] = ("base", "taught", "weaker")
"""Who is asked; a control, and the model before round 1, are not."""


@dataclass(frozen=True, slots=True)
class PlannedSuite:
    """A suite that is to be asked.

    Attributes:
        settings: what tells it from the same suite asked otherwise.
        margin: see `recipe.suites.SuiteBase`.
        findings: what no figure of single items says, of the items of an arm, for people.
    """

    suite: Suite
    settings: dict[str, Any] = field(default_factory=dict)
    margin: float | None = None
    findings: Callable[[Sequence[SuiteItem]], Sequence[str]] = lambda items: ()


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """The suites of a round, and what makes the tools that they judge with, when the first is asked."""

    suites: Sequence[PlannedSuite] = ()
    tools: Callable[[], SuiteTools] = lambda: SuiteTools(Prompts())


def ask_suites(
    round_: Round, arm: Arm, load: Callable[[], LanguageModel], plan: SuitePlan, report: Reporter
) -> None:
    """Asks one arm everything of every suite that it has not answered yet; others than ARMS nothing.

    Raises:
        ModelError: nothing comes of a suite at all; none of its items counts as asked.
    """
    for one in ARMS:
        if one == arm:
            for planned in plan.suites:
                _ask(round_, one, load, planned, plan.tools, report)


def _ask(
    round_: Round,
    arm: SuiteArm,
    load: Callable[[], LanguageModel],
    planned: PlannedSuite,
    tools: Callable[[], SuiteTools],
    report: Reporter,
) -> None:
    suite = planned.suite
    require_same(round_, suite.name, planned.settings)
    arms = items_by_arm(round_, suite.name)
    done = frozenset(one.item for one in arms.get(arm, ()))
    if len(done) >= len(suite) and suite.name in kept_suites(round_):
        return
    lm, judging = load(), tools()
    _keep(round_, planned)
    label = f"suite {suite.name}: {arm}"
    # what training has broken may fail in everything: that is a result, and the gate says so
    works = arm != "base" or any(one.error is None for one in arms.get(arm, ()))
    out = FirstRecords(round_, label, works)
    with report.task(label, len(suite)) as advance:
        advance(len(done))
        told = Advancing(advance, len(suite) - len(done))
        try:
            for block in asked(suite, lm, judging, arm, arms.get("base", ()), done, told):
                fresh = [one for one in block if one.item not in done]
                failures = [
                    Failure(stage="verify", item_id=one.id, message=one.error)
                    for one in fresh
                    if one.error is not None
                ]
                out.write([failures, fresh], [one.error for one in fresh])
                told.block(len(fresh))
        except NoLogprobsError as error:
            _keep(round_, planned, unmeasured={arm: error.what})
            report.note(f"suite {suite.name} was not measured: {error.what}")
            return
    out.close()
    # what there is to know of it may be known only now
    found = planned.findings(items_by_arm(round_, suite.name).get(arm, ()))
    _keep(round_, planned, findings={arm: tuple(found)})


class Advancing:
    """A bar of items that moves as a suite tells it to, before or after its blocks, or by whole blocks."""

    def __init__(self, advance: Progress, left: int) -> None:
        self._advance = advance
        self._left = left
        self._told = 0
        self._blocks = 0
        self._at = 0

    def __call__(self, count: int) -> None:
        self._told += count
        self._move()

    def block(self, items: int) -> None:
        """A block of so many items is done."""
        self._blocks += items
        self._move()

    def _move(self) -> None:
        at = min(self._left, max(self._told, self._blocks))
        self._advance(at - self._at)
        self._at = at


def asked(
    suite: Suite,
    lm: LanguageModel,
    tools: SuiteTools,
    arm: SuiteArm,
    before: Sequence[SuiteItem],
    done: frozenset[str],
    progress: Progress | None = None,
) -> Iterator[list[SuiteItem]]:
    """The items of a suite, of the arm, block by block; what is no finite number is an error of its item.

    Args:
        before: the items of the model before teaching, if there is one.
    """
    told: Literal["base", "taught"] = "base" if arm == "base" else "taught"
    for block in suite.run(lm, tools, told, () if arm == "base" else before, done, progress):
        yield [_checked(one, arm) for one in block]


def _checked(one: SuiteItem, arm: SuiteArm) -> SuiteItem:
    fields = one.model_dump(exclude={"id"})
    endless = [name for name, value in one.parts.items() if not isfinite(value)]
    if endless:
        fields |= {"parts": {}, "error": f"{', '.join(endless)}: NaN or inf"}
    return one if arm == one.arm and not endless else SuiteItem(**{**fields, "arm": arm})


def items_by_arm(round_: Round, name: str) -> dict[str, list[SuiteItem]]:
    """The items of a suite in a round."""
    found: dict[str, list[SuiteItem]] = {}
    for one in round_.iter(SuiteItem):
        if one.suite == name:
            found.setdefault(one.arm, []).append(one)
    return found


def _keep(
    round_: Round,
    planned: PlannedSuite,
    unmeasured: Mapping[str, str] | None = None,
    findings: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Writes down how a suite is asked, and adds what is known of an arm now."""
    suite = planned.suite
    before = kept_suites(round_).get(suite.name, KeptSuite())
    keep_suite(
        round_,
        suite.name,
        KeptSuite(
            settings=planned.settings,
            margin=before.margin if planned.margin is None else planned.margin,
            measures=suite.measures,
            notes=tuple(dict.fromkeys((*before.notes, *suite.notes))),
            findings={**before.findings, **(findings or {})},
            unmeasured={**before.unmeasured, **(unmeasured or {})},
        ),
    )
