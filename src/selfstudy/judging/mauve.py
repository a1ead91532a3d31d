"""How near machine-written texts are to human-written ones, as distributions: MAUVE (Pillutla et al. 2021,
arXiv 2102.01454, section 2 and appendix), from one vector a text.

Both sets are quantised together: vectors of length 1, PCA to 90% of the variance, k-means with a bucket for
every ten texts; then the area under the curve of exp(-5 KL) to mixtures of both histograms.

Why not mauve-text: it brings faiss, a native library for k-means beside scikit-learn's, and loads models by
itself, without the checks that ours go through.  Knows nothing of texts or models.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from selfstudy.stats import Interval

TextRows = npt.NDArray[np.float64]
SCALE = 5.0
"""c of the paper, equation 2 and what follows."""
MIXTURES = 25
PER_BUCKET = 10
"""Texts of either set for each bucket; two buckets at least."""
VARIANCE = 0.9
STARTS, STEPS = 5, 500
"""Of k-means."""
_EDGE = 1e-6
"""The mixtures do not quite reach the histograms themselves, where KL may be infinite."""


def mauve(human: TextRows, machine: TextRows, *, seed: int) -> float:
    """MAUVE of two sets of vectors, in (0, 1]; 1 where both have the same share in every bucket.

    It depends on how many texts there are: compare figures of equally many, a thousand or more.

    Args:
        human, machine: (texts, dimension), as many of either.

    Raises:
        ValueError: there is none, or the shapes differ, or a number is not finite.
    """
    if human.shape != machine.shape or human.ndim != 2 or not human.size:
        raise ValueError(f"needs as many vectors of either kind, found {human.shape} and {machine.shape}")
    both = np.concatenate([human, machine]).astype(np.float64)
    if not np.isfinite(both).all():
        raise ValueError("needs finite vectors")
    buckets = max(2, round(len(human) / PER_BUCKET))
    places = _quantised(both, buckets, seed)
    halves = places[: len(human)], places[len(human) :]
    p, q = (np.bincount(half, minlength=buckets) / len(human) for half in halves)
    return area(p, q)


def bootstrap(human: TextRows, machine: TextRows, *, seed: int, resamples: int = 20) -> Interval:
    """MAUVE with an interval of 95% over items, each a pair of texts that are drawn together.

    Every resample is quantised anew.  It has fewer distinct texts, which lie further apart, and so its figure
    is lower, by a tenth and more; the interval is theirs, moved so that their mean is the value.
    """
    value = mauve(human, machine, seed=seed)
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(resamples):
        drawn = rng.integers(len(human), size=len(human))
        draws.append(mauve(human[drawn], machine[drawn], seed=seed))
    low, high = value + np.quantile(draws, [0.025, 0.975]) - np.mean(draws)
    return Interval(value, max(0.0, float(low)), min(1.0, float(high)))


def area(p: TextRows, q: TextRows) -> float:
    """The area under the divergence curve of two histograms that sum to 1."""
    shares = np.linspace(1 - _EDGE, _EDGE, MIXTURES)  # from P to Q: x rises and y falls
    mixtures = [share * p + (1 - share) * q for share in shares]
    x = np.array([0.0, *(np.exp(-SCALE * _kl(q, one)) for one in mixtures), 1.0])
    y = np.array([1.0, *(np.exp(-SCALE * _kl(p, one)) for one in mixtures), 0.0])
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def _kl(p: TextRows, q: TextRows) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log(p[there] / q[there])))


def _quantised(vectors: TextRows, buckets: int, seed: int) -> npt.NDArray[np.int64]:
    """The bucket of each vector."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(lengths > 0, lengths, 1)
    if np.allclose(vectors, vectors[0]):
        return np.zeros(len(vectors), dtype=np.int64)
    reduced = PCA(n_components=VARIANCE, svd_solver="full").fit_transform(vectors)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct vectors than buckets
        found = KMeans(buckets, n_init=STARTS, max_iter=STEPS, random_state=seed).fit_predict(reduced)
    return np.asarray(found, dtype=np.int64)
