"""Statistics: paired bootstrap, McNemar, AUROC, Wilson, Spearman.  Pure functions over arrays.

It knows nothing of records, models or what the numbers mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_CELLS = 2_000_000
"""Most numbers that one chunk of resamples holds (16 MB)."""

FEWEST = 5
"""Fewer items of a class than these give an AUROC no interval."""


class Interval(NamedTuple):
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float


def plain(value: Any) -> Any:
    """Measures as JSON has them; an interval is {value, low, high}."""
    if isinstance(value, Interval):
        return value._asdict()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def wilson(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion (Wilson 1927); inside [0, 1] and sensible at 0 and n.

    Args:
        successes: a sum of values in [0, 1], which vary no more than if each were 0 or 1.

    Raises:
        ValueError: not 0 <= successes <= n, or n is 0.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"wilson needs 0 <= successes <= n and n > 0, found {successes} of {n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    # At the ends one bound equals p; rounding must not move it beyond.
    return Interval(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def ratios(part: Floats, whole: Floats) -> Floats:
    """part / whole, elementwise; 0 where there is nothing to take the share of."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def harmonic_means(one: Floats, other: Floats) -> Floats:
    """Elementwise (F1 of precision and recall); 0 where both are."""
    return ratios(2 * one * other, one + other)


def bootstrap_mean(
    values: Sequence[float] | Floats, *, seed: int, resamples: int = 10_000, confidence: float = 0.95
) -> Interval:
    """Mean of `values` with its percentile bootstrap interval (Efron 1979).

    Raises:
        ValueError: no values, or one that is not finite.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0 or not np.isfinite(data).all():
        raise ValueError(f"bootstrap needs finite values, at least one; found {data.size}")
    means = _resampled_sums(data, seed, resamples) / data.size
    return _percentile(float(data.mean()), means, confidence)


def bootstrap_ratio(
    parts: Sequence[float],
    wholes: Sequence[float],
    *,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> Interval:
    """Sum of `parts` over sum of `wholes`, with its percentile bootstrap interval; units are resampled whole.

    Args:
        parts, wholes: two numbers per unit, in the same order: turns that ask, and all turns, of a dialogue.

    Raises:
        ValueError: lengths differ, there are no units, a whole is not above 0, or a number is not finite.
    """
    if len(parts) != len(wholes):
        raise ValueError(f"units need both numbers, found {len(parts)} and {len(wholes)}")
    if not len(wholes) or min(wholes) <= 0:
        raise ValueError("a ratio needs units, and of each a whole above 0")
    units = np.stack([np.asarray(parts, dtype=np.float64), np.asarray(wholes, dtype=np.float64)], axis=1)
    if not np.isfinite(units).all():
        raise ValueError("a ratio needs finite numbers")
    sums = _resampled_sums(units, seed, resamples)
    part, whole = units.sum(axis=0)
    return _percentile(float(part / whole), sums[:, 0] / sums[:, 1], confidence)


def bootstrap_sums(
    units: Sequence[Sequence[float]] | Floats,
    statistic: Callable[[Floats], Floats],
    *,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> list[Interval]:
    """Statistics of sums over units, each with its percentile bootstrap interval; units are resampled whole.

    Args:
        units: k numbers of each.
        statistic: sums, (n, k), to m numbers of each, (n, m).

    Returns:
        m intervals.

    Raises:
        ValueError: there are no units, or a number is not finite.
    """
    data = np.asarray(units, dtype=np.float64)
    if data.ndim != 2 or not len(data) or not np.isfinite(data).all():
        raise ValueError(f"statistics of sums need rows of finite numbers, found shape {data.shape}")
    (value,) = statistic(data.sum(axis=0, keepdims=True))
    draws = statistic(_resampled_sums(data, seed, resamples))
    return [_percentile(float(one), draw, confidence) for one, draw in zip(value, draws.T, strict=True)]


def _resampled_sums(units: Floats, seed: int, resamples: int) -> Floats:
    """Sums of as many units, drawn with replacement: (resamples,) of numbers, (resamples, k) of rows of k.

    That is a multinomial draw of how often each distinct unit is taken.  Differences of right and wrong have
    three distinct values, so a resample costs the same for any number of units.
    """
    distinct, counts = np.unique(units, axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.multinomial(len(units), counts / len(units), size=size) @ distinct
            for size in _chunks(resamples, len(distinct))
        ]
    )


def paired_bootstrap(
    before: Sequence[float],
    after: Sequence[float],
    *,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> Interval:
    """Difference of means, after - before, of the same items measured twice; pairs are resampled whole.

    Args:
        before, after: one number per item (right 1, wrong 0, or a share), in the same order.

    Raises:
        ValueError: lengths differ, or no items.
    """
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"pairs need equal lengths, found {first.size} and {second.size}")
    return bootstrap_mean(second - first, seed=seed, resamples=resamples, confidence=confidence)


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Two-sided p of the exact McNemar test that as many items turned right as turned wrong.

    Raises:
        ValueError: lengths differ.
    """
    pairs = list(zip(before, after, strict=True))
    return sign_test(sum(b < a for b, a in pairs), sum(b > a for b, a in pairs))


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact p that wins and losses are alike probable; 1 where there are none."""
    if not wins + losses:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses, 0.5).pvalue)


def pairs_needed(
    discordance: float, change: float, distance: float, confidence: float = 0.95, power: float = 0.8
) -> int:
    """How many paired items show, with `power`, that a true `change` is `distance` from a bound.

    (z + z')^2 (d - D^2) / distance^2: d is the share of items that change, D their mean change.  To show that
    a fall is no larger than m where nothing truly falls: discordance d, change 0, distance m.

    Returns:
        At least 1; 10^9 for a distance of 0 or less, which no number of items shows.
    """
    if distance <= 0:
        return 10**9
    z = NormalDist().inv_cdf(0.5 + confidence / 2) + NormalDist().inv_cdf(power)
    return max(1, min(10**9, math.ceil(z * z * max(0.0, discordance - change * change) / distance**2)))


def auroc(scores: Sequence[float], positive: Sequence[bool]) -> float | None:
    """Chance that a positive item scores above a negative one, ties counted half; None if a class is empty.

    Raises:
        ValueError: lengths differ.
    """
    up, down = _histograms(scores, positive)
    return _area(up, down) if up.sum() and down.sum() else None


def auroc_interval(
    scores: Sequence[float], positive: Sequence[bool], *, confidence: float = 0.95
) -> Interval | None:
    """AUROC with a score interval, which knows how few items it rests on, also where all pairs are in order.

    All areas from which the one found lies at most z standard errors away, as in Wilson's interval.  The
    variance at each area is that of Hanley & McNeil, with the classes' sizes averaged (Newcombe 2006, method
    5); where the spread of the scores themselves is wider (DeLong et al. 1988), it is scaled up to that.

    None if a class has fewer than FEWEST items: an AUROC of these says nothing.

    Raises:
        ValueError: lengths differ.
    """
    up, down = _histograms(scores, positive)
    many, few = int(up.sum()), int(down.sum())
    if min(many, few) < FEWEST:
        return None
    value = _area(up, down)
    spread = _delong(up, down)
    usual = _hanley_mcneil(value, many, few)
    wider = max(1.0, spread / usual) if usual > 0 else 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)

    def bound(end: float) -> float:
        """Where on the way to `end` the found area begins to be too far away; bisection, to 1e-9."""
        near, far = value, end
        while abs(far - near) > 1e-9:
            middle = (near + far) / 2
            if (value - middle) ** 2 <= z * z * wider * _hanley_mcneil(middle, many, few):
                near = middle
            else:
                far = middle
        return near

    return Interval(value, bound(0.0), bound(1.0))


def _hanley_mcneil(area: float, many: int, few: int) -> float:
    """Variance of an AUROC estimated from so many items of each class, at a true one of `area`."""
    size = (many + few) / 2
    shape = 1 + (size - 1) * ((1 - area) / (2 - area) + area / (1 + area))
    return area * (1 - area) * shape / (many * few)


def _delong(up: npt.NDArray[np.int64], down: npt.NDArray[np.int64]) -> float:
    """Variance of the AUROC from the spread of each item's own share of pairs won (DeLong et al. 1988)."""
    total = 0.0
    for own, other in ((up, down), (down, up)):
        won = (np.cumsum(other) - other / 2) / other.sum()
        mean = (own * won).sum() / own.sum()
        total += float((own * (won - mean) ** 2).sum() / (own.sum() - 1) / own.sum())
    return total


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Rank correlation in [-1, 1], equal values sharing their mean rank; None where either has no spread.

    Raises:
        ValueError: lengths differ.
    """
    first, second = _ranks(one), _ranks(other)
    if first.shape != second.shape:
        raise ValueError(f"a correlation needs equal lengths, found {first.size} and {second.size}")
    if first.size < 2 or not first.std() or not second.std():
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Sequence[float]) -> Floats:
    data = np.asarray(values, dtype=np.float64)
    _, where, counts = np.unique(data, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[where], dtype=np.float64)


def _histograms(
    scores: Sequence[float], positive: Sequence[bool]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many positive and how many negative items have each distinct score, lowest score first."""
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    if values.shape != labels.shape:
        raise ValueError(f"AUROC needs one label per score, found {values.size} and {labels.size}")
    distinct, where = np.unique(values, return_inverse=True)
    return (
        np.bincount(where[labels], minlength=distinct.size),
        np.bincount(where[~labels], minlength=distinct.size),
    )


def _area(up: npt.NDArray[np.int64], down: npt.NDArray[np.int64]) -> float:
    """AUROC of counts per distinct score: negatives below, and half of those beside."""
    below = np.cumsum(down) - down / 2
    return float((up * below).sum() / (up.sum() * down.sum()))


def _chunks(total: int, width: int) -> list[int]:
    """Sizes that add up to `total`, each so that size * width numbers fit into one chunk."""
    size = max(1, _CELLS // max(1, width))
    return [min(size, total - start) for start in range(0, total, size)]


def _percentile(value: float, draws: Floats, confidence: float) -> Interval:
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))
