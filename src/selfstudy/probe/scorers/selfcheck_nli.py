"""SelfCheck-NLI: how much the samples contradict the passage (Manakul et al. 2023; methods 1)."""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.judging import selfcheck
from selfstudy.models.base import EntailmentModel
from selfstudy.probe.scorers.base import obstacle, scored, usable
from selfstudy.records import Answer, Question, Score


class SelfCheckNLI:
    """Mean over sentences and samples of P(contradiction | sentence, sample)."""

    name = "selfcheck-nli"

    def __init__(self, nli: EntailmentModel) -> None:
        self._nli = nli

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. All pairs go to the entailment model at once; it judges equal ones once."""
        passages = [answer.passage.text for answer in answers]
        samples = [[sample.text for sample in usable(answer)] for answer in answers]
        found = selfcheck.score_passages(passages, samples, self._nli)
        unjudged = "the entailment model gave NaN or inf for every sentence"
        return [
            scored(self.name, answer, sentences, obstacle(answer) or unjudged)
            for answer, sentences in zip(answers, found, strict=True)
        ]
