"""Agreement: the share of samples that differ from the passage. Needs no model; for short factual answers."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.probe.scorers.base import obstacle, scored, sentence_score, unscored, usable
from selfstudy.records import Answer, Question, Score
from selfstudy.text import normalise


class Agreement:
    """1 - share of samples whose normalised text equals the passage's."""

    name = "agreement"

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. The one part is the whole passage: per sample 0.0 equal, 1.0 different."""
        return [self._score(answer) for answer in answers]

    def _score(self, answer: Answer) -> Score:
        passage = normalise(answer.passage.text)
        error = obstacle(answer) or (None if passage else "the passage has no words")
        if error is not None:
            return unscored(self.name, answer, error)
        differs = [float(normalise(sample.text) != passage) for sample in usable(answer)]
        return scored(self.name, answer, [sentence_score(answer.passage.text, differs)], "")
