"""A judge's verdicts turn by turn; what cannot be read is None."""

from __future__ import annotations

from selfstudy.records import Chat
from selfstudy.verbs.socratic.judged import JudgedTurns, TutorJudge
from selfstudy.verbs.socratic.talk import Dialogue
from tests.verbs.socratic.tutors import PROMPTS, Counted, asked, exercise, said

SUM = exercise(6, 7)


def dialogue(id_: str, *contents: str) -> Dialogue:
    return Dialogue(id=id_, tutor="socratic", turns=said(*contents), ended="limit")


def test_every_turn_is_judged_in_one_batch() -> None:
    judge = Counted(
        {
            r"What is 6 times 6\?\nDoes the teacher ask": "Yes.",
            r"It is 42\.\nDoes the teacher ask": "I would rather not say",
            r"What is 6 times 6\?\nDoes this turn tell": "no",
            r"It is 42\.\nDoes this turn tell": "yes",
        }
    )
    two = dialogue("a", "What is 6 times 7?", "What is 6 times 6?", "36.", "It is 42.", "Ah.")
    none = dialogue("b", "What is 6 times 7?")
    one = dialogue("c", "What is 6 times 7?", "Something else.")
    found = TutorJudge(judge, PROMPTS).of([SUM] * 3, [two, none, one])
    assert found == [
        JudgedTurns(id="a", asks=(True, None), leaks=(False, True)),
        JudgedTurns(id="b", asks=(), leaks=()),
        JudgedTurns(id="c", asks=(None,), leaks=(None,), model_failed=True),
    ]
    assert judge.batches == [6]


def test_the_judge_of_leaks_sees_what_was_said_before_and_not_after() -> None:
    seen: list[str] = []

    def see(chat: Chat, number: int) -> str:
        seen.append(asked(chat))
        return "no"

    talk = dialogue("a", "What is 6 times 7?", "What is 6 times 6?", "Later.")
    TutorJudge(Counted({"": see}), PROMPTS).of([SUM], [talk])
    assert "Answer: 42" in seen[1]
    assert "Student: What is 6 times 7?" in seen[1]
    assert "Later" not in "".join(seen)
