"""Recipe name `agreement`: the share of samples that differ from the passage.  For short factual answers.

Needs no model.  Words count sign for sign: -41 is not 41.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.judging.terms import words
from selfstudy.probe.scorers.base import obstacle, scored, sentence_score, unscored, usable
from selfstudy.records import Answer, Question, Score


class SampleAgreement:
    """1 - share of samples whose words equal the passage's."""

    name = "agreement"

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. The one part is the whole passage: per sample 0.0 equal, 1.0 different."""
        return [self._score(answer) for answer in answers]

    def _score(self, answer: Answer) -> Score:
        passage = words(answer.passage.text)
        error = obstacle(answer) or (None if passage else "the passage has no words")
        if error is not None:
            return unscored(self.name, answer, error)
        differs = [float(words(sample.text) != passage) for sample in usable(answer)]
        return scored(self.name, answer, [sentence_score(answer.passage.text, differs)], "")
