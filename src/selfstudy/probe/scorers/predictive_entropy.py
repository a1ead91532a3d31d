"""Predictive entropy: how improbable the model finds its samples, by token (Malinin & Gales 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite

from selfstudy.probe.scorers.base import obstacle, unscored, usable
from selfstudy.records import Answer, Completion, Question, Score


class PredictiveEntropy:
    """1 - exp(-entropy), the entropy being the mean over samples of -log p / tokens, in nats per token."""

    name = "predictive-entropy"

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. `parts`: the entropy. Samples without token counts give an error."""
        return [self._score(answer) for answer in answers]

    def _score(self, answer: Answer) -> Score:
        samples = usable(answer)
        rates = token_logprobs(samples)
        error = obstacle(answer)
        if error is not None or rates is None:
            return unscored(self.name, answer, error or NO_TOKENS)
        mean = sum(rates) / len(rates)
        value = min(1.0, max(0.0, 1 - exp(min(0.0, mean))))
        return Score(
            question_id=answer.question_id, scorer=self.name, value=value, parts={"entropy": -mean + 0.0}
        )


NO_TOKENS = "a sample has no token count and log-probability (imported answers have none)"


def token_logprobs(samples: Sequence[Completion]) -> list[float] | None:
    """Mean log-probability of a token of each sample; None if one does not say it."""
    if any(sample.tokens < 1 or not isfinite(sample.logprob) for sample in samples):
        return None
    return [sample.logprob / sample.tokens for sample in samples]
