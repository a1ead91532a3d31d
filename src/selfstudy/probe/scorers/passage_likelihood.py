"""Likelihood of the passage: how probable the model finds its own greedy answer, as a whole.

The negative log-probability of the greedy sequence (Aichberger et al. 2024, G-NLL; "maximum sequence
probability" of Fadeeva et al. 2023).  It costs nothing beside the passage: no sample, no further model.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from selfstudy.probe.scorers.base import obstacle, unlikely, unscored
from selfstudy.records import Answer, Question, Score

HALF = 5.0
"""Nats at which the value is 0.5."""


class PassageLikelihood:
    """nll / (nll + HALF), nll = -log p of all tokens of the passage at temperature 1, in nats.

    A monotone map that still tells long answers apart, where 1 - p would be 1 for all of them.
    """

    name = "passage-likelihood"

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. `parts`: nll. A passage without token count and log-probability is an error."""
        return [self._score(answer) for answer in answers]

    def _score(self, answer: Answer) -> Score:
        passage = answer.passage
        error = obstacle(answer, samples=0)
        if error is None and (passage.tokens < 1 or not isfinite(passage.logprob)):
            error = "the passage has no token count and log-probability (imported answers have none)"
        if error is not None:
            return unscored(self.name, answer, error)
        return unlikely(self.name, answer, passage.logprob, HALF)
