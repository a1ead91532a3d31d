"""P(True): the probability that the model itself gives to its answer being correct (Kadavath et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selfstudy.models.base import LanguageModel, NoLogprobsError
from selfstudy.probe.scorers.base import obstacle, unscored
from selfstudy.probe.scorers.grading import GRADES, grading
from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Question, Score


class PTrue:
    """1 - P("correct") among the replies `GRADES` to the prompt `grade`, as the answering model sees them.

    A reply's probability is the product over its tokens. Samples are not needed.
    """

    name = "p-true"

    def __init__(self, lm: LanguageModel, prompts: Prompts) -> None:
        self._lm = lm
        self._prompts = prompts

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. `parts`: the share of each reply, which sum to 1."""
        judged = [i for i, answer in enumerate(answers) if obstacle(answer, samples=0) is None]
        chats = [grading(self._prompts, questions[i], answers[i]) for i in judged for _ in GRADES]
        try:
            found = self._lm.logprobs(chats, [*GRADES] * len(judged)) if chats else []
        except NoLogprobsError as error:
            why = error.what
            return [unscored(self.name, answer, obstacle(answer, samples=0) or why) for answer in answers]
        rows = {i: found[j * len(GRADES) : (j + 1) * len(GRADES)] for j, i in enumerate(judged)}
        return [self._score(answer, rows.get(i, [])) for i, answer in enumerate(answers)]

    def _score(self, answer: Answer, tokens: Sequence[Sequence[float]]) -> Score:
        error = obstacle(answer, samples=0)
        if error is not None:
            return unscored(self.name, answer, error)
        sums = np.array([sum(row) if row else np.nan for row in tokens])
        powers = np.exp(sums - sums.max())
        if not np.isfinite(powers).all():
            return unscored(self.name, answer, f"{self._lm.name} gave no probability of its grades")
        shares = dict(zip(GRADES, (powers / powers.sum()).tolist(), strict=True))
        value = 1 - shares["correct"]
        return Score(
            question_id=answer.question_id, scorer=self.name, value=min(1.0, max(0.0, value)), parts=shares
        )
