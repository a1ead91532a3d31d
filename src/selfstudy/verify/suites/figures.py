"""The figures of a suite: of one model, and paired, before and after teaching.

A figure is a mean of a part over items, or the sum of one part over the sum of another (base.Measure).  Both
arms are compared on the items that both have it of, and the bootstrap draws units (`SuiteItem.unit`), whole
and for both arms together.  Pure functions over items; what failed is in no figure and counted beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selfstudy.records import SuiteItem
from selfstudy.stats import Floats, Interval, bootstrap_sums, mcnemar, wilson
from selfstudy.verify.gains import Resampling
from selfstudy.verify.suites.base import Measure

FEWEST = 20
"""Units that have to change for a bootstrap to see how much they may: where nearly all stay as they were, it
draws those alone, and a loss that is rare is excluded by it though it was only not met."""
_LARGEST = 700.0
"""Beyond e to this there are no numbers."""


class SuiteFigure(BaseModel):
    """One figure of a suite, in its own unit; None: not measured.

    Attributes:
        before, after: over the `n` items, about `units` things, that both arms have it of; of one model alone
            over those that it has it of.  Each with its bootstrap interval; with Wilson's, where every item
            is a unit and right or wrong.
        difference: after - before, with its paired interval [low, high]; of a figure that compares with the
            answers before, after - what it is where nothing changed.
        p, won, lost: McNemar's exact test, where every item is a unit and right or wrong (0 or 1); how many
            turned so.
        rose, fell: sums of what units rose and fell, of a mean of parts in [0, 1] where so few of them
            changed that a bootstrap sees too little doubt (`FEWEST`); else None.
        failed_before, failed_after: items with an error in that arm, which are not in the n.
        missing_before, missing_after: items that the other arm has it of, and this one, without an error,
            not: nothing was said that it could be measured on, or they were not asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    better: Literal["higher", "lower", "neither"]
    main: bool = False
    confidence: float = 0.95
    explanation: str = ""
    before: float | None = None
    after: float | None = None
    before_interval: tuple[float, float] | None = None
    after_interval: tuple[float, float] | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    won: int | None = None
    lost: int | None = None
    rose: float | None = Field(default=None, exclude_if=lambda value: value is None)
    fell: float | None = Field(default=None, exclude_if=lambda value: value is None)
    n: int = 0
    units: int = 0
    failed_before: int = 0
    failed_after: int = 0
    missing_before: int = 0
    missing_after: int = 0

    @property
    def gain(self) -> tuple[float, float, float] | None:
        """Difference, low and high such that more is better; None where they were not measured."""
        if self.difference is None or self.low is None or self.high is None:
            return None
        if self.better == "lower":
            return -self.difference, -self.high, -self.low
        return self.difference, self.low, self.high

    @property
    def word(self) -> str:
        """better, worse, unchanged or within noise; empty where nothing was compared or neither is better.

        Of what is not right or wrong "too few", where fewer changed than a bootstrap can tell anything by.
        """
        if (gain := self.gain) is None or self.better == "neither":
            return ""
        value, low, high = gain
        if low <= 0 <= high or (self.p is not None and self.p >= 1 - self.confidence):
            return "unchanged" if value == 0 else "within noise"
        if self.p is None and self.units < FEWEST:
            return "too few"
        return "better" if value > 0 else "worse"


class SuiteResult(BaseModel):
    """What came of a suite.

    Attributes:
        figures: by name, the main one first.
        failed_before, failed_after: items with an error; asked_before, asked_after: all items of that arm.
        error: what failed most often; "" where nothing did.
        margin: most that the main figure may get worse for promotion; None: it decides nothing.
        unmeasured: why it could not be asked at all.
        may_not_decide: why its figures decide nothing, whatever they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    figures: dict[str, SuiteFigure] = {}
    asked_before: int = 0
    asked_after: int = 0
    failed_before: int = 0
    failed_after: int = 0
    error: str = ""
    margin: float | None = None
    notes: tuple[str, ...] = ()
    unmeasured: str = Field(default="", exclude_if=lambda value: value == "")
    may_not_decide: str = Field(default="", exclude_if=lambda value: value == "")

    @property
    def main(self) -> tuple[str, SuiteFigure] | None:
        """The figure that a gate goes by."""
        return next(((name, one) for name, one in self.figures.items() if one.main), None)


def compared(
    before: Iterable[SuiteItem],
    after: Iterable[SuiteItem],
    measures: Sequence[Measure],
    how: Resampling,
    *,
    margin: float | None = None,
    notes: Sequence[str] = (),
) -> SuiteResult:
    """The figures of two models asked the same suite; of one where the other has no item."""
    first, second = ({one.item: one for one in arm} for arm in (before, after))
    errors = Counter(one.error for arm in (first, second) for one in arm.values() if one.error)
    return SuiteResult(
        figures={measure.name: figure(first, second, measure, how) for measure in measures},
        asked_before=len(first),
        asked_after=len(second),
        failed_before=_failed(first.values()),
        failed_after=_failed(second.values()),
        error=next((error for error, _ in errors.most_common(1) if error), ""),
        margin=margin,
        notes=tuple(notes),
    )


def figure(
    before: Mapping[str, SuiteItem], after: Mapping[str, SuiteItem], measure: Measure, how: Resampling
) -> SuiteFigure:
    """One figure of the items of two arms, by `SuiteItem.item`; either may be empty."""
    arms = {"before": {} if measure.only_after else before, "after": after}
    there = {name: arm for name, arm in arms.items() if arm}
    measured = {
        name: {key: one for key, one in arm.items() if _measurable(one, measure)}
        for name, arm in there.items()
    }
    keys = [key for key in next(iter(measured.values()), {}) if all(key in arm for arm in measured.values())]
    told = SuiteFigure(
        better=measure.better,
        main=measure.main,
        confidence=how.confidence,
        explanation=measure.explanation,
    )
    told = told.model_copy(update=_left_out(there, measured, measure))
    if not keys:
        return told
    rows = {name: [arm[key] for key in keys] for name, arm in measured.items()}
    units, count = _units(list(rows.values()), measure)
    if not count:
        return told
    intervals = bootstrap_sums(
        units,
        lambda sums: _statistics(sums, units.sum(axis=0), measure),
        seed=how.seed,
        resamples=how.resamples,
        confidence=how.confidence,
    )
    found: dict[str, object] = {"n": len(keys), "units": count}
    shares = all(_right_or_wrong(row, measure) for row in rows.values())
    for name, interval in zip(rows, intervals, strict=False):
        _, *ends = interval
        if shares:  # where all are alike, a bootstrap sees no doubt
            right = sum(one.parts[measure.part] for one in rows[name])
            _, *ends = wilson(right, len(keys), how.confidence)
        found |= {name: interval.value, f"{name}_interval": tuple(ends)}
    if len(rows) == 2:
        found |= _differs(intervals[2], rows["before"], rows["after"], measure, shares=shares)
        found |= _changed(units, measure)
    elif measure.neutral is not None and measure.only_after and "after" in rows:
        value, low, high = (one - measure.neutral for one in intervals[0])
        found |= {"difference": value, "low": low, "high": high, **_changed(units, measure, measure.neutral)}
    return told.model_copy(update=found)


def _measurable(one: SuiteItem, measure: Measure) -> bool:
    wanted = [measure.part, *([measure.per] if measure.per else [])]
    return one.error is None and all(isfinite(one.parts.get(name, float("nan"))) for name in wanted)


def _left_out(
    there: Mapping[str, Mapping[str, SuiteItem]],
    measured: Mapping[str, Mapping[str, SuiteItem]],
    measure: Measure,
) -> dict[str, int]:
    """What of each arm is not compared: failed, or missing where the other arm has it."""
    everything = {key for arm in measured.values() for key in arm}
    alike = {_kind(key) for key in everything}
    found = {}
    for name, arm in there.items():
        failed = {
            key
            for key, one in arm.items()
            if one.error and (key in everything or _kind(key) in alike or not alike)
        }
        found[f"failed_{name}"] = len(failed)
        found[f"missing_{name}"] = len(everything - measured[name].keys() - failed)
    return found


def _kind(item: str) -> str:
    """The task of an item, TASK/NUMBER, where a suite has several: one that failed is in no other figure."""
    return item.rpartition("/")[0]


def _failed(items: Iterable[SuiteItem]) -> int:
    return sum(one.error is not None for one in items)


def _units(rows: Sequence[Sequence[SuiteItem]], measure: Measure) -> tuple[Floats, int]:
    """Of every unit (part, whole) of each arm, summed; those of which nothing is whole add nothing."""
    found: dict[str, list[float]] = {}
    for each in zip(*rows, strict=True):
        numbers = [
            number
            for one in each
            for number in (one.parts[measure.part], one.parts[measure.per] if measure.per else 1.0)
        ]
        total = found.setdefault(each[0].unit, [0.0] * len(numbers))
        found[each[0].unit] = [a + b for a, b in zip(total, numbers, strict=True)]
    whole = [row for row in found.values() if any(row[1::2])]
    return np.array(whole, dtype=np.float64).reshape(len(whole), 2 * len(rows)), len(whole)


def _statistics(sums: Floats, everything: Floats, measure: Measure) -> Floats:
    """Sums (n, 2k) to the value of each of k arms and, of two, their difference: (n, k or 3).

    A draw in which an arm has nothing whole takes the value of all: few draws of few units.
    """
    values = []
    for at in range(0, sums.shape[1], 2):
        of_all = everything[at] / everything[at + 1] if everything[at + 1] else 0.0
        part, whole = sums[:, at], sums[:, at + 1]
        value = np.divide(part, whole, out=np.full_like(part, of_all), where=whole != 0)
        values.append(np.exp(np.minimum(value, _LARGEST)) if measure.exp else value)
    return np.stack([*values, *([values[1] - values[0]] if len(values) == 2 else [])], axis=1)


def _differs(
    interval: Interval,
    before: Sequence[SuiteItem],
    after: Sequence[SuiteItem],
    measure: Measure,
    *,
    shares: bool,
) -> dict[str, object]:
    found: dict[str, object] = {
        "difference": interval.value,
        "low": interval.low,
        "high": interval.high,
    }
    if shares:
        one, other = ([bool(item.parts[measure.part]) for item in arm] for arm in (before, after))
        found |= {
            "p": mcnemar(one, other),
            "won": sum(b and not a for a, b in zip(one, other, strict=True)),
            "lost": sum(a and not b for a, b in zip(one, other, strict=True)),
        }
    return found


def _changed(units: Floats, measure: Measure, neutral: float | None = None) -> dict[str, float]:
    """How far units rose and fell, where few of them changed at all; of what is no mean of shares nothing.

    Args:
        neutral: what one arm alone is compared with; None: there are two.
    """
    if measure.per is not None or measure.exp:
        return {}
    values = units[:, ::2] / units[:, 1::2]
    if values.min() < 0 or values.max() > 1:
        return {}
    change = values[:, -1] - (values[:, 0] if neutral is None else neutral)
    if np.count_nonzero(change) >= FEWEST:
        return {}
    return {"rose": float(change[change > 0].sum()), "fell": float(-change[change < 0].sum())}


def _right_or_wrong(items: Sequence[SuiteItem], measure: Measure) -> bool:
    """Whether a figure is a share of items that are each alone and right or wrong: no test knows clusters."""
    plain = measure.per is None and not measure.exp
    alone = len({one.unit for one in items}) == len(items)
    return plain and alone and all(one.parts[measure.part] in (0.0, 1.0) for one in items)
