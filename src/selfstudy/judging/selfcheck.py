"""SelfCheck-NLI: how much sampled answers contradict a passage (Manakul et al. 2023; methods 1).

The formula alone, shared by probe (before) and verify (before and after).  It knows nothing of questions,
records on disk, thresholds or stages.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selfstudy.models.base import EntailmentModel, Progress
from selfstudy.records import SentenceScore
from selfstudy.text import sentences


def score_passages(
    passages: Sequence[str],
    samples: Sequence[Sequence[str]],
    nli: EntailmentModel,
    progress: Progress | None = None,
) -> list[list[SentenceScore]]:
    """Inconsistency of every sentence of every passage with that passage's samples.

    For sentence s and sample a the value is P(contradiction | pair (s, a)) over the entailment and
    contradiction classes; a sentence's value is the mean over its samples.  All pairs of all passages go to
    `nli` in one call, so that it can drop duplicates and batch by length.

    Args:
        passages: one text each; an empty one has no sentences.
        samples: samples[i] are the sampled answers to compare passages[i] with; failed ones left out.
        nli: the entailment model.
        progress: called with the number of pairs newly judged.

    Returns:
        One list per passage, in order.  It is empty where there is no sentence or no sample.  A sentence for
        which the model gives NaN is left out, as the paper's NaN-safe mean does.
    """
    split = [sentences(passage) for passage in passages]
    pairs = [
        (sentence, sample)
        for parts, answers in zip(split, samples, strict=True)
        for sentence in parts
        for sample in answers
    ]
    contradiction = nli.probabilities(pairs, progress)[:, 1] if pairs else np.empty(0)
    scored: list[list[SentenceScore]] = []
    start = 0
    for parts, answers in zip(split, samples, strict=True):
        count = len(parts) * len(answers)
        block = contradiction[start : start + count].reshape(len(parts), len(answers))
        start += count
        scored.append([_sentence(s, row) for s, row in zip(parts, block, strict=True) if _usable(row)])
    return scored


def passage_score(sentences: Sequence[SentenceScore]) -> float | None:
    """Hallucination score of a passage in [0, 1]: the mean over its sentences; None if there are none."""
    return float(np.mean([s.value for s in sentences])) if sentences else None


def _usable(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    return row.size > 0 and bool(np.isfinite(row).all())


def _sentence(sentence: str, row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> SentenceScore:
    return SentenceScore(text=sentence, value=float(row.mean()), per_sample=tuple(row.tolist()))
