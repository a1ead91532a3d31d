"""Answers beside those that people wrote, as distributions: MAUVE for each kind, as ALCE measures it.

Of each item: the question and the answer in one line, the first hundred words, without punctuation at the end
(arXiv 2305.14627, appendix).  Knows nothing of citations.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from selfstudy.judging import mauve
from selfstudy.judging.citations import without_marks
from selfstudy.verbs.citing.evaluating import Evaluated, Evaluation

FIGURE = "mauve"
ENOUGH = 1_000
"""Items; of fewer the figure says little by itself."""
WORDS = 100

Encode = Callable[[Sequence[str]], npt.NDArray[np.float64]]


def with_mauve(found: Evaluation, encode: Encode, name: str, *, seed: int, resamples: int = 20) -> Evaluation:
    """The same with MAUVE beside the figures of each kind that has references; the first of a row counts.

    Args:
        encode: a vector for each text; every text is encoded once.
        name: what makes the vectors.
    """
    of_kind: dict[str, list[tuple[str, str]]] = {}
    for row in found.judged:
        if row.item is not None and row.item.references:
            of_kind.setdefault(row.item.kind, []).append(
                _texts(row, row.item.question, row.item.references[0])
            )
    if not of_kind:
        return found
    kinds = {kind: dict(of) for kind, of in found.kinds.items()}
    counts = {kind: dict(of) for kind, of in found.counts.items()}
    for kind, texts in of_kind.items():
        vectors = encode([text for pair in texts for text in pair])
        value = mauve.bootstrap(vectors[::2], vectors[1::2], seed=seed, resamples=resamples)
        kinds[kind][FIGURE] = value
        counts[kind][FIGURE] = len(texts)
    return replace(found, kinds=kinds, counts=counts, mauve_by=name)


def _texts(row: Evaluated, question: str, reference: str) -> tuple[str, str]:
    """What people wrote, and what is judged."""
    return _shown(question, reference), _shown(question, without_marks(row.answer))


def _shown(question: str, answer: str) -> str:
    words = f"{question} {answer}".split()
    return " ".join(words[:WORDS]).rstrip(string.punctuation)
