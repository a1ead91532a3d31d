"""Likelihood of the claim: how probable the model finds the names and numbers of its own greedy answer.

How a sentence is worded costs likelihood too, and says nothing of what the model knows.  What an answer adds
to its question does (ours; relevance of tokens is weighed in Duan et al. 2023, SAR).  It costs one pass over
the passages: no sample, no further model.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.judging.forms import plain, read
from selfstudy.judging.grounding import claims
from selfstudy.models.base import LanguageModel, NoLogprobsError, word_logprobs
from selfstudy.probe.scorers.base import obstacle, unlikely, unscored
from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Question, Score

HALF = 2.0
"""Nats at which the value is 0.5."""


class ClaimLikelihood:
    """nll / (nll + HALF), nll = -log p of the claim at temperature 1, given what stands before, in nats.

    The claim is the names and numbers that the passage adds to the question; without such, all words that it
    adds; without these, the whole passage.
    """

    name = "claim-likelihood"

    def __init__(self, lm: LanguageModel, prompts: Prompts) -> None:
        self._lm = lm
        self._prompts = prompts

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. `parts`: nll."""
        chats = [self._prompts.chat("answer", question=one.text) for one in questions]
        try:
            words = word_logprobs(self._lm, chats, [answer.passage.text for answer in answers])
        except NoLogprobsError as error:
            why = error.what
            return [unscored(self.name, answer, obstacle(answer, samples=0) or why) for answer in answers]
        return [self._score(*one) for one in zip(questions, answers, words, strict=True)]

    def _score(self, question: Question, answer: Answer, words: Sequence[tuple[str, float]]) -> Score:
        error = obstacle(answer, samples=0)
        if error is None and not words:
            error = f"{self._lm.name} gave no probability of its passage"
        if error is not None:
            return unscored(self.name, answer, error)
        wanted = claims(question.text, answer.passage.text)
        claimed = [log for word, log in words if not wanted.isdisjoint(map(plain, read(word)))]
        return unlikely(self.name, answer, sum(claimed or [log for _, log in words]), HALF)
