"""Agreement: the share of samples that differ from the passage. Needs no model; for short factual answers."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.records import Answer, Question, Score, SentenceScore
from selfstudy.text import normalise


class Agreement:
    """1 - share of samples whose normalised text equals the passage's."""

    name = "agreement"

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. The one part is the whole passage: per sample 0.0 equal, 1.0 different."""
        return [self._score(answer) for answer in answers]

    def _score(self, answer: Answer) -> Score:
        samples = [sample.text for sample in answer.samples if sample.error is None]
        passage = normalise(answer.passage.text)
        if not passage or not samples:
            error = "all samples failed" if passage else "the passage is empty"
            return Score(question_id=answer.question_id, scorer=self.name, value=None, error=error)
        differs = tuple(float(normalise(sample) != passage) for sample in samples)
        value = sum(differs) / len(differs)
        part = SentenceScore(text=answer.passage.text, value=value, per_sample=differs)
        return Score(question_id=answer.question_id, scorer=self.name, value=value, sentences=(part,))
