"""Figures that are functions of sums over questions: of one arm, and paired of two, the fact being the unit.

The bootstrap draws facts, whole and for both arms together, and sums them (Efron 1979).  Knows numbers and
names of facts; nothing of what they count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from selfstudy.stats import Floats, Interval, bootstrap_sums
from selfstudy.verify.gains import Resampling

Summed = tuple[str, Sequence[float]]
"""The fact that a question is about, and what is summed of its answer; all rows have as many numbers."""
Statistics = Callable[[Floats], Floats]
"""Sums, (n, numbers), to figures, (n, figures)."""


def of_one(rows: Sequence[Summed], statistics: Statistics, how: Resampling) -> tuple[list[Interval], int]:
    """Each figure with its interval; and how many facts there are."""
    units = _units(rows)
    return _drawn(units, statistics, how), len(units)


def of_two(
    before: Sequence[Summed], after: Sequence[Summed], statistics: Statistics, how: Resampling
) -> tuple[list[tuple[float, float, Interval]], int]:
    """Each figure before, after, and their difference with its paired interval; and how many facts there are.

    Args:
        before, after: of the same questions, in the same order; the facts are those of `after`.
    """
    units = _units(
        [(fact, [*first, *second]) for (_, first), (fact, second) in zip(before, after, strict=True)]
    )
    half = units.shape[1] // 2

    def compared(sums: Floats) -> Floats:
        first, second = statistics(sums[:, :half]), statistics(sums[:, half:])
        return np.concatenate([second - first, first, second], axis=1)

    found = _drawn(units, compared, how)
    count = len(found) // 3
    return [(found[count + at].value, found[2 * count + at].value, found[at]) for at in range(count)], len(
        units
    )


def _drawn(units: Floats, statistics: Statistics, how: Resampling) -> list[Interval]:
    return bootstrap_sums(
        units, statistics, seed=how.seed, resamples=how.resamples, confidence=how.confidence
    )


def _units(rows: Sequence[Summed]) -> Floats:
    """What is summed, a row for each fact, in order of appearance."""
    facts: dict[str, list[float]] = {}
    for fact, numbers in rows:
        total = facts.setdefault(fact, [0.0] * len(numbers))
        facts[fact] = [a + b for a, b in zip(total, numbers, strict=True)]
    return np.array(list(facts.values()), dtype=np.float64)
