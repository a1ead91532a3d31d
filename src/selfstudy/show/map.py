"""The knowledge map: every question as a point in the plane, near what it resembles.

PCA takes the embeddings to a few dimensions, t-SNE (van der Maaten & Hinton 2008) lays out at most
`LANDMARKS` of them, and every other question is put among the landmarks nearest to it.  So the work is
bounded in the number of questions but for one matrix product, and a map of 100,000 looks like one of 1,000.
It knows nothing of scores or colours; positions depend on the texts and the seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from selfstudy.records import digest

if TYPE_CHECKING:
    from selfstudy.models.base import Embedder

Points = npt.NDArray[np.float32]

LANDMARKS = 1500
DIMENSIONS = 30
BLOCK = 2048
NEIGHBOURS = 4


def layout(texts: Sequence[str], embedder: Embedder, seed: int = 0) -> Points:
    """Positions of `texts`, shape (len(texts), 2), in [0, 1]; the same for the same arguments."""
    if not texts:
        return np.zeros((0, 2), np.float32)
    rng = np.random.default_rng(int(digest("map", str(seed)), 16))
    chosen = _landmarks(len(texts), rng)
    reduced, everything = _reduce([texts[i] for i in chosen], texts, embedder, seed)
    placed = _tsne(reduced, seed)
    if len(chosen) == len(texts):
        return _unit_square(placed)
    return _unit_square(_among(everything, reduced, placed, rng))


def _landmarks(count: int, rng: np.random.Generator) -> list[int]:
    if count <= LANDMARKS:
        return list(range(count))
    return sorted(int(i) for i in rng.choice(count, LANDMARKS, replace=False))


def _reduce(sample: list[str], texts: Sequence[str], embedder: Embedder, seed: int) -> tuple[Points, Points]:
    """PCA fitted on `sample`: its coordinates, and those of all texts (empty where the sample is all)."""
    from sklearn.decomposition import PCA

    vectors = np.nan_to_num(np.asarray(embedder.encode(sample), np.float32))
    size = min(DIMENSIONS, vectors.shape[1], len(sample))
    if len(sample) < 3 or not np.ptp(vectors, axis=0).any():  # nothing varies: PCA would divide by zero
        return np.zeros((len(sample), 2), np.float32), np.zeros((len(texts), 2), np.float32)
    pca = PCA(
        n_components=size, svd_solver="randomized" if size < min(vectors.shape) else "full", random_state=seed
    )
    reduced = pca.fit_transform(vectors).astype(np.float32)
    if len(sample) == len(texts):
        return reduced, np.zeros((0, size), np.float32)
    blocks = [
        pca.transform(np.nan_to_num(np.asarray(embedder.encode(list(texts[i : i + BLOCK])), np.float32)))
        for i in range(0, len(texts), BLOCK)
    ]
    return reduced, np.concatenate(blocks).astype(np.float32)


def _tsne(reduced: Points, seed: int) -> Points:
    """t-SNE of the landmarks; a plain line-up where there are too few points for neighbourhoods."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    count = len(reduced)
    if count < 8 or not reduced.any():
        turn = 2.399963 * np.arange(count)  # golden angle: points spread over a disc without overlap
        radius = np.sqrt(np.arange(count) + 0.5)
        return np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1).astype(np.float32)
    # One thread: parallel sums round differently from run to run, and t-SNE amplifies that.
    with threadpool_limits(limits=1):
        tsne = TSNE(
            perplexity=min(25.0, (count - 1) / 3),
            max_iter=500,
            init="pca",
            random_state=seed,
            n_jobs=1,
            angle=0.6,
        )
        return np.asarray(tsne.fit_transform(reduced), np.float32)


def _among(everything: Points, reduced: Points, placed: Points, rng: np.random.Generator) -> Points:
    """Each point at the weighted mean of its nearest landmarks, moved a little so that twins stay visible."""
    spread = float(np.ptp(placed, axis=0).max()) / 150 or 1e-3
    length = (reduced**2).sum(axis=1)
    result = np.empty((len(everything), 2), np.float32)
    for start in range(0, len(everything), BLOCK):
        part = everything[start : start + BLOCK]
        distance = np.maximum(length - 2 * part @ reduced.T + (part**2).sum(axis=1, keepdims=True), 0)
        near = np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        weight = 1 / (np.take_along_axis(distance, near, axis=1) ** 2 + 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        result[start : start + BLOCK] = (placed[near] * weight[:, :, None]).sum(axis=1)
    return result + rng.normal(0, spread, result.shape).astype(np.float32)


def _unit_square(points: Points) -> Points:
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - low) / np.maximum(high - low, 1e-9), np.float32)
