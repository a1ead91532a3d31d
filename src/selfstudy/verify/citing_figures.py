"""The figures of cited answers: of each arm, and paired comparisons of two, the fact being the unit.

    citation_recall, citation_precision, claim_recall
                     means over what the documents answer; who refuses there cites and answers nothing
    trust_score      over all that was asked (judging/trust.py)
    f1_ref, f1_ans   its F1 of refusing what the documents do not answer, and of answering what they do

All are functions of sums over questions, so that a bootstrap draws facts and sums them.  Pure functions over
checks; a failed one is in no figure and counted beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from selfstudy.judging.trust import TrustItem, refusal_f1
from selfstudy.records import Arm, CitedCheck
from selfstudy.stats import Floats, Interval, harmonic_means, ratios
from selfstudy.verify.gains import FigureGain, Resampling, Unmeasured
from selfstudy.verify.summed import of_one, of_two

ALCE = ("citation_recall", "citation_precision", "claim_recall")
TRUST = ("trust_score", "f1_ref", "f1_ans")
"""Not measured where no question was asked without its page, or none with it."""
FIGURES = (*ALCE, *TRUST)


@dataclass(frozen=True, slots=True)
class CitedComparisons:
    """By figure: what teaching changed, and how the taught model stands against the control.

    `unmeasured`: questions were asked, and none was answered by both; by the same two names.
    """

    taught: Mapping[str, FigureGain] = field(default_factory=dict)
    control: Mapping[str, FigureGain] = field(default_factory=dict)
    unmeasured: Mapping[str, Unmeasured] = field(default_factory=dict)


_COMPARED: dict[str, tuple[Arm, Arm]] = {"taught": ("base", "taught"), "control": ("control", "taught")}


def compared(checks: Iterable[CitedCheck], how: Resampling) -> CitedComparisons:
    """Every comparison of which both arms were asked."""
    arms: dict[Arm, dict[tuple[str, bool], CitedCheck]] = {}
    for check in checks:
        arms.setdefault(check.arm, {})[check.question_id, check.withheld] = check
    found: dict[str, dict[str, FigureGain]] = {"taught": {}, "control": {}}
    unmeasured = {}
    for name, (first, second) in _COMPARED.items():
        before, after = arms.get(first, {}), arms.get(second, {})
        if not before or not after:
            continue
        asked = sorted(before.keys() | after.keys())
        pairs = [
            (before[key], after[key])
            for key in asked
            if key in before and key in after and before[key].error is None and after[key].error is None
        ]
        if pairs:
            found[name] = _gains(pairs, len(asked) - len(pairs), how)
        else:
            errors = Counter(one.error for arm in (before, after) for one in arm.values() if one.error)
            (error, _), *_ = errors.most_common(1) or [("an arm was not asked", 0)]
            unmeasured[name] = Unmeasured(asked=len(asked), error=error or "")
    return CitedComparisons(found["taught"], found["control"], unmeasured)


def figures(checks: Sequence[CitedCheck], how: Resampling) -> dict[str, tuple[float, dict[str, Any]]]:
    """The figures of one arm, by name, each with what it rests on (`figures.outcome`)."""
    counted = [one for one in checks if one.error is None]
    if not counted:
        return {}
    intervals, facts = of_one([(one.unit, _numbers(one)) for one in counted], _statistics, how)
    return {
        name: (one.value, _detail(name, counted, len(checks) - len(counted), facts, one))
        for name, one in zip(FIGURES, intervals, strict=True)
        if name in _measured(counted)
    }


def _detail(
    name: str, counted: Sequence[CitedCheck], failed: int, facts: int, interval: Interval
) -> dict[str, Any]:
    n = len(counted) if name in TRUST else sum(not one.withheld for one in counted)
    return {
        "n": n,
        "facts": facts,
        "judged_by": {},
        "failed": failed,
        "low": interval.low,
        "high": interval.high,
    }


def _gains(
    pairs: Sequence[tuple[CitedCheck, CitedCheck]], failed: int, how: Resampling
) -> dict[str, FigureGain]:
    before, after = ([(one.unit, _numbers(one)) for one in arm] for arm in zip(*pairs, strict=True))
    found, facts = of_two(before, after, _statistics, how)
    measured = _measured([one for one, _ in pairs])
    return {
        name: FigureGain(
            before=first,
            after=second,
            difference=change.value,
            low=change.low,
            high=change.high,
            n=len(pairs) if name in TRUST else sum(not one.withheld for one, _ in pairs),
            facts=facts,
            failed=failed,
        )
        for name, (first, second, change) in zip(FIGURES, found, strict=True)
        if name in measured
    }


def _measured(checks: Sequence[CitedCheck]) -> tuple[str, ...]:
    """What can be told of such questions."""
    withheld = {one.withheld for one in checks}
    return FIGURES if len(withheld) == 2 else ALCE if withheld == {False} else ()


def trust_item(check: CitedCheck) -> TrustItem:
    """What the Trust-Score takes of a check that did not fail."""
    parts, answerable = check.parts, not check.withheld
    return TrustItem(
        answerable=answerable,
        refused=bool(check.refused),
        correctness=parts["claim_recall"] if answerable else 0.0,
        plain_correctness=parts["claim_recall"],
        recall=parts["citation_recall"],
        precision=parts["grounded_precision"],
    )


def _numbers(check: CitedCheck) -> list[float]:
    """What the figures are made of; `_statistics` takes them apart."""
    item = trust_item(check)
    answerable, answered = float(item.answerable), float(not item.refused)
    return [
        answerable,
        1 - answerable,
        answered,
        1 - answered,
        answerable * answered,
        (1 - answerable) * (1 - answered),
        item.correctness * answerable * answered,
        item.recall * answered,
        item.precision * answered,
        *(check.parts[name] * answerable for name in ALCE),
    ]


def _statistics(sums: Floats) -> Floats:
    """Sums of `_numbers`, (n, 12), to the figures, (n, 6)."""
    answerable, unanswerable, answered, refused, right, rightly, correct, recall, precision, *alce = sums.T
    f1_ref, f1_ans = refusal_f1(answerable, unanswerable, answered, refused, right, rightly)
    correctness = harmonic_means(ratios(correct, answerable), ratios(correct, answered))
    grounded = harmonic_means(ratios(recall, answered), ratios(precision, answered))
    trust = ((f1_ref + f1_ans) / 2 + correctness + grounded) / 3
    return np.stack([*(ratios(one, answerable) for one in alce), trust, f1_ref, f1_ans], axis=1)
