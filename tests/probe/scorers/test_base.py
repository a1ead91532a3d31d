"""What scorers share."""

from __future__ import annotations

from typing import Any

from selfstudy.probe.scorers.base import Remembering
from selfstudy.records import Question, Score

from .scoring import answer


def test_the_same_answers_in_a_row_are_scored_once() -> None:
    class Counting:
        name = "counting"
        calls = 0

        def score(self, questions: Any, answers: Any) -> list[Score]:
            self.calls += 1
            return [Score(question_id=a.question_id, scorer=self.name, value=0.5) for a in answers]

    counting = Counting()
    scorer = Remembering(counting)
    a, b = answer("Vienna."), answer("Graz.")
    questions = [Question(text="?")] * 2
    first = scorer.score(questions, [a, b])
    assert scorer.score(questions, [a, b]) == first
    assert counting.calls == 1
    assert scorer.score(questions, [b, a]) == first[::-1]
    scorer.score(questions[:1], [a])
    scorer.score(questions, [a.model_copy(), b])
    assert counting.calls == 4
