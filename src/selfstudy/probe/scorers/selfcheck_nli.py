"""SelfCheck-NLI: how much the samples contradict the passage (Manakul et al. 2023; METHODS 1)."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy import selfcheck
from selfstudy.models.base import EntailmentModel
from selfstudy.records import Answer, Question, Score


class SelfCheckNLI:
    """Mean over sentences and samples of P(contradiction | sentence, sample)."""

    name = "selfcheck-nli"

    def __init__(self, nli: EntailmentModel) -> None:
        self._nli = nli

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. All pairs go to the entailment model at once; it judges equal ones once."""
        passages = [answer.passage.text for answer in answers]
        samples = [[s.text for s in answer.samples if s.error is None] for answer in answers]
        return [
            Score(
                question_id=answer.question_id,
                scorer=self.name,
                value=(value := selfcheck.passage_score(sentences)),
                sentences=tuple(sentences),
                error=None if value is not None else _why(answer),
            )
            for answer, sentences in zip(
                answers, selfcheck.score_passages(passages, samples, self._nli), strict=True
            )
        ]


def _why(answer: Answer) -> str:
    if not answer.passage.text.strip():
        return "the passage is empty"
    if all(sample.error is not None for sample in answer.samples):
        return "all samples failed"
    return "the entailment model gave no number for any sentence"
