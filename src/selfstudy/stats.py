"""Statistics: paired bootstrap, McNemar, AUROC, Wilson.  Pure functions over arrays.

It knows nothing of records, models or what the numbers mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_CELLS = 2_000_000
"""Most numbers that one chunk of resamples holds (16 MB)."""


class Interval(NamedTuple):
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion (Wilson 1927); inside [0, 1] and sensible at 0 and n.

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


def bootstrap_mean(
    values: Sequence[float] | Floats, *, seed: int, resamples: int = 10_000, confidence: float = 0.95
) -> Interval:
    """Mean of `values` with its percentile bootstrap interval (Efron 1979).

    Resampling n values with replacement is a multinomial draw of how often each distinct value is taken.
    Differences of right and wrong have three distinct values, so a resample costs the same for any n.

    Raises:
        ValueError: no values, or one that is not finite.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0 or not np.isfinite(data).all():
        raise ValueError(f"bootstrap needs finite values, at least one; found {data.size}")
    distinct, counts = np.unique(data, return_counts=True)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            rng.multinomial(data.size, counts / data.size, size=size) @ distinct / data.size
            for size in _chunks(resamples, distinct.size)
        ]
    )
    return _percentile(float(data.mean()), means, confidence)


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
    gained = sum(b < a for b, a in pairs)
    changed = sum(b != a for b, a in pairs)
    if not changed:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(gained, changed, 0.5).pvalue)


def auroc(scores: Sequence[float], positive: Sequence[bool]) -> float | None:
    """Chance that a positive item scores above a negative one, ties counted half; None if a class is empty.

    Raises:
        ValueError: lengths differ.
    """
    up, down = _histograms(scores, positive)
    return float(_areas(up[None], down[None])[0]) if up.sum() and down.sum() else None


def auroc_interval(
    scores: Sequence[float],
    positive: Sequence[bool],
    *,
    seed: int,
    resamples: int = 2_000,
    confidence: float = 0.95,
) -> Interval | None:
    """AUROC with its bootstrap interval; each class is resampled on its own, so neither can vanish.

    None if a class is empty.
    """
    up, down = _histograms(scores, positive)
    value = auroc(scores, positive)
    if value is None:
        return None
    rng = np.random.default_rng(seed)
    areas = np.concatenate(
        [
            _areas(
                rng.multinomial(up.sum(), up / up.sum(), size=size),
                rng.multinomial(down.sum(), down / down.sum(), size=size),
            )
            for size in _chunks(resamples, up.size)
        ]
    )
    return _percentile(value, areas, confidence)


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


def _areas(up: npt.NDArray[np.int64], down: npt.NDArray[np.int64]) -> Floats:
    """AUROC of each row of counts per distinct score: negatives below, and half of those beside."""
    below = np.cumsum(down, axis=1) - down / 2
    areas: Floats = (up * below).sum(axis=1) / (up.sum(axis=1) * down.sum(axis=1))
    return areas


def _chunks(total: int, width: int) -> list[int]:
    """Sizes that add up to `total`, each so that size * width numbers fit into one chunk."""
    size = max(1, _CELLS // max(1, width))
    return [min(size, total - start) for start in range(0, total, size)]


def _percentile(value: float, draws: Floats, confidence: float) -> Interval:
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))
