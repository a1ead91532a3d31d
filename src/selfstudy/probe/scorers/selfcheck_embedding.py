"""SelfCheck by sentence embeddings: how near does each sample come to a sentence? (Manakul et al. 2023, 5.1).

The paper compares by BERTScore; any embedder of sentences does here.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from selfstudy.models.base import Embedder
from selfstudy.probe.scorers.base import obstacle, scored, sentence_score, usable
from selfstudy.records import Answer, Question, Score
from selfstudy.text import sentences

UNJUDGED = "the embedder gave NaN or inf for every sentence"


class SelfCheckEmbedding:
    """1 - mean over samples of the cosine between a sentence and the sample's nearest sentence.

    A negative cosine counts as 0, and so does a sample without any sentence.  A sample for which the embedder
    gives NaN is left out of the mean.
    """

    name = "selfcheck-embedding"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. All distinct sentences are embedded in one call."""
        parts = [sentences(answer.passage.text) for answer in answers]
        samples = [[sentences(sample.text) for sample in usable(answer)] for answer in answers]
        said = (
            part for rows in zip(parts, samples, strict=True) for row in (rows[0], *rows[1]) for part in row
        )
        place = {part: i for i, part in enumerate(dict.fromkeys(said))}
        vectors = self._embedder.encode(list(place))

        def distance(sentence: str, sample: Sequence[str]) -> float | None:
            if not sample:
                return 1.0
            nearest = float((vectors[[place[part] for part in sample]] @ vectors[place[sentence]]).max())
            return None if isnan(nearest) else min(1.0, max(0.0, 1.0 - nearest))

        return [
            scored(
                self.name,
                answer,
                [sentence_score(part, [distance(part, sample) for sample in rows]) for part in said],
                obstacle(answer) or (UNJUDGED if said else "the passage has no sentence"),
            )
            for answer, said, rows in zip(answers, parts, samples, strict=True)
        ]
