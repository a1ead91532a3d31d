"""The figures of refusing: of each arm, and paired comparisons of two, the fact being the unit.

    refusal_f1       F1_GR (methods-more B): the mean of the next two
    refusal_f1_ref   of what has no evidence the share refused, of what is refused the share without evidence
    refusal_f1_ans   of what has an answer the share answered, of what is answered the share that has one
    unanswerable_answered  share of what has no evidence that is answered: made up
    known_refused    share of known questions that are refused
    gap_refused      share of gaps that are refused, in any wording asked
    answered_right   share of right answers among gaps and known questions that are answered

What has an answer are gaps and known questions, which have been asked anyway (`Check`); what has none are
held-out questions without evidence (`RefusalCheck`).  All but gap_refused go by the question as first asked.
An arm that answers everything has a refusal_f1_ref of 0 and a high refusal_f1_ans, so the halves are told
too.  Pure functions over checks; a failed one is in no figure and counted beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from selfstudy.judging.refusals import is_refusal
from selfstudy.judging.trust import refusal_f1
from selfstudy.records import Arm, Check, RefusalCheck
from selfstudy.stats import Floats, ratios
from selfstudy.verify.gains import FigureGain, Resampling, Unmeasured
from selfstudy.verify.summed import Summed, of_one, of_two

OutcomeKind = Literal["gap", "known", "unanswerable"]
OF: dict[str, tuple[OutcomeKind, ...]] = {
    "refusal_f1": ("gap", "known", "unanswerable"),
    "refusal_f1_ref": ("gap", "known", "unanswerable"),
    "refusal_f1_ans": ("gap", "known", "unanswerable"),
    "unanswerable_answered": ("unanswerable",),
    "known_refused": ("known",),
    "gap_refused": ("gap",),
    "answered_right": ("gap", "known"),
}
"""Which questions each figure is taken over."""
FIGURES = tuple(OF)


@dataclass(frozen=True, slots=True)
class RefusalOutcome:
    """A question as one arm answered it.

    Attributes:
        refused: as first asked; None: that failed.
        right: whether that answer is right; of what has no evidence none is.
        in_any_wording: share of its wordings, those that failed left out, to which it refused.
    """

    kind: OutcomeKind
    fact: str
    refused: bool | None
    right: bool = False
    in_any_wording: float = 0.0
    error: str = ""


_Outcomes = Mapping[tuple[OutcomeKind, str], RefusalOutcome]


@dataclass(frozen=True, slots=True)
class RefusalComparisons:
    """By figure: what teaching changed, and how the taught model stands against the control.

    `unmeasured`: questions without evidence were asked, and none was answered by both; by the same names.
    """

    taught: Mapping[str, FigureGain] = field(default_factory=dict)
    control: Mapping[str, FigureGain] = field(default_factory=dict)
    unmeasured: Mapping[str, Unmeasured] = field(default_factory=dict)


_COMPARED: dict[str, tuple[Arm, Arm]] = {"taught": ("base", "taught"), "control": ("control", "taught")}


def compared(
    checks: Iterable[Check], refusals: Iterable[RefusalCheck], how: Resampling
) -> RefusalComparisons:
    """Every comparison of which both arms were asked what has no evidence."""
    arms = answers(checks, refusals)
    found: dict[str, dict[str, FigureGain]] = {"taught": {}, "control": {}}
    unmeasured = {}
    for name, (first, second) in _COMPARED.items():
        before, after = arms.get(first, {}), arms.get(second, {})
        missing = _unmeasured(before, after)
        if missing is not None:
            unmeasured[name] = missing
        elif before and after:
            found[name] = _gains(before, after, how)
    return RefusalComparisons(found["taught"], found["control"], unmeasured)


def figures(
    checks: Iterable[Check], refusals: Iterable[RefusalCheck], how: Resampling
) -> dict[str, tuple[float, dict[str, Any]]]:
    """The figures of one arm, by name, each with what it rests on (`figures.outcome`); none if it was asked
    nothing without evidence."""
    (arm,) = list(answers(checks, refusals).values()) or [{}]
    counted = [one for one in arm.values() if one.refused is not None]
    if not counted:
        return {}
    intervals, _ = of_one(_rows(counted), _statistics, how)
    return {
        name: (
            one.value,
            {
                "n": len(mine := _of(name, counted)),
                "facts": len({each.fact for each in mine}),
                "judged_by": {},
                "failed": len(_of(name, arm.values())) - len(mine),
                "low": one.low,
                "high": one.high,
            },
        )
        for name, one in zip(FIGURES, intervals, strict=True)
        if name in _measured(counted)
    }


def answers(checks: Iterable[Check], refusals: Iterable[RefusalCheck]) -> dict[Arm, _Outcomes]:
    """What each arm answered, of those that were asked anything without evidence."""
    found: dict[Arm, dict[tuple[OutcomeKind, str], RefusalOutcome]] = {}
    for one in refusals:
        asked = RefusalOutcome("unanswerable", one.unit, one.refused, error=one.error or "")
        found.setdefault(one.arm, {})["unanswerable", one.question_id] = asked
    wordings: dict[Arm, dict[tuple[OutcomeKind, str], list[Check]]] = {}
    for check in checks:
        if check.arm in found and (check.target == "gap" or check.target == "known"):
            mine = wordings.setdefault(check.arm, {})
            mine.setdefault((check.target, check.question_id), []).append(check)
    for arm, questions in wordings.items():
        found[arm] |= {key: _asked(key[0], some) for key, some in questions.items()}
    return dict(found)


def _asked(kind: OutcomeKind, wordings: Sequence[Check]) -> RefusalOutcome:
    said = [is_refusal(one.answer) for one in wordings if one.error is None]
    first = next((one for one in wordings if one.wording == "original"), wordings[0])
    return RefusalOutcome(
        kind,
        first.unit,
        None if first.error is not None else is_refusal(first.answer),
        bool(first.correct),
        sum(said) / len(said) if said else 0.0,
        first.error or "",
    )


def _unmeasured(before: _Outcomes, after: _Outcomes) -> Unmeasured | None:
    """What was asked without evidence, if none of it was answered by both arms."""
    if not before or not after:
        return None
    asked = {key for key in before.keys() | after.keys() if key[0] == "unanswerable"}
    answered = [
        {key for key in asked if key in arm and arm[key].refused is not None} for arm in (before, after)
    ]
    if answered[0] & answered[1]:
        return None
    errors = Counter(arm[key].error for arm in (before, after) for key in asked if key in arm)
    errors.pop("", None)
    (error, _), *_ = errors.most_common(1) or [("an arm was not asked", 0)]
    return Unmeasured(asked=len(asked), error=error)


def _gains(before: _Outcomes, after: _Outcomes, how: Resampling) -> dict[str, FigureGain]:
    asked = sorted(before.keys() | after.keys())
    both = [key for key in asked if key in before and key in after]
    pairs = [
        (before[key], after[key])
        for key in both
        if before[key].refused is not None and after[key].refused is not None
    ]
    found, _ = of_two(_rows([one for one, _ in pairs]), _rows([two for _, two in pairs]), _statistics, how)
    later = [two for _, two in pairs]
    return {
        name: FigureGain(
            before=first,
            after=second,
            difference=change.value,
            low=change.low,
            high=change.high,
            n=len(mine := _of(name, later)),
            facts=len({one.fact for one in mine}),
            failed=sum(kind in OF[name] for kind, _ in asked) - len(mine),
        )
        for name, (first, second, change) in zip(FIGURES, found, strict=True)
        if name in _measured(later)
    }


def _of(name: str, asked: Iterable[RefusalOutcome]) -> list[RefusalOutcome]:
    return [one for one in asked if one.kind in OF[name]]


def _measured(asked: Iterable[RefusalOutcome]) -> set[str]:
    """What can be told of such questions: F1 only where there are both halves."""
    kinds = {one.kind for one in asked}
    halves = "unanswerable" in kinds and len(kinds) > 1
    return {name for name, of in OF.items() if (halves if len(of) == 3 else kinds.intersection(of))}


def _rows(asked: Iterable[RefusalOutcome]) -> list[Summed]:
    """What the figures are made of; `_statistics` takes them apart."""
    rows: list[Summed] = []
    for one in asked:
        can, refused = float(one.kind != "unanswerable"), float(one.refused or 0)
        known, gap = float(one.kind == "known"), float(one.kind == "gap")
        numbers = [
            *(can, 1 - can, 1 - refused, refused, can * (1 - refused), (1 - can) * refused),
            *(known, known * refused, gap, gap * one.in_any_wording),
            can * (1 - refused) * one.right,
        ]
        rows.append((one.fact, numbers))
    return rows


def _statistics(sums: Floats) -> Floats:
    """Sums of `_rows`, (n, 11), to the figures, (n, 7)."""
    can, cannot, answered, refused, right, rightly, known, known_refused, gaps, gap_refused, correct = sums.T
    ref, ans = refusal_f1(can, cannot, answered, refused, right, rightly)
    return np.stack(
        [
            *((ref + ans) / 2, ref, ans),
            ratios(cannot - rightly, cannot),
            ratios(known_refused, known),
            ratios(gap_refused, gaps),
            ratios(correct, right),
        ],
        axis=1,
    )
