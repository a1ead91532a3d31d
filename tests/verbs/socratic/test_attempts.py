"""Attempts of students, counted by hand."""

from __future__ import annotations

from selfstudy.models.scripted import ScriptedLM
from selfstudy.verbs.socratic.attempts import Attempts, Examinee
from tests.verbs.socratic.tutors import ATTEMPT, PROMPTS, TABLE, Counted, said

ALONE, TUTORED = (), said("What is 6 times 7?", "What is 6 times 6?", "36.")


def test_attempts_are_counted() -> None:
    lm = Counted(
        {
            f"Nobody has talked.*{ATTEMPT}": ["Answer: 41", "Answer: 42", "It is 42, no.\nAnswer: 40"],
            f"What is 6 times 6.*{ATTEMPT}": ["42", "I think it is 42.", "Answer: 36"],
        }
    )
    student = Examinee(lm, PROMPTS, attempts=3)
    solutions = [TABLE[0].solution] * 2
    before, after = student.tries(["a", "b"], solutions, [ALONE, TUTORED])
    assert before == Attempts(id="a", read=3, right=1, failed=0)
    assert after == Attempts(id="b", read=3, right=2, failed=0)
    assert (before.share, after.share) == (1 / 3, 2 / 3)
    assert lm.batches == [2]


def test_what_fails_is_no_wrong_answer() -> None:
    student = Examinee(ScriptedLM({"nothing": "x"}), PROMPTS, attempts=2)
    (found,) = student.tries(["a"], [TABLE[0].solution], [ALONE])
    assert found == Attempts(id="a", read=0, right=0, failed=2, model_failed=True)
    assert found.share is None
