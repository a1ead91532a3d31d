"""Dialogues by scripted teachers and students, worked by hand."""

from __future__ import annotations

import pytest

from selfstudy.records import Chat
from selfstudy.verbs.socratic.talk import GO_ON, Dialogue, dialogues
from tests.verbs.socratic.tutors import (
    STUDENT,
    TABLE,
    TEACHER,
    TELLER,
    Counted,
    asked,
    conversation,
    exercise,
)

ASKS = "Teacher: What is ten times that?\nStudent: I think"


def solver(chat: Chat, number: int) -> str:
    """Solves 6 times 7 at once, 6 times 9 in its second turn, nothing else ever."""
    if "6 times 7" in asked(chat):
        return "**Student:** It is 42."
    return "So it is 54." if "6 times 9" in asked(chat) and "Hm." in asked(chat) else "Hm."


def contents(found: Dialogue) -> list[str]:
    return [turn.content for turn in found.turns]


def test_all_dialogues_advance_together() -> None:
    teacher, student = Counted({TEACHER: ASKS}), Counted({STUDENT: solver})
    ended: list[int] = []
    found = dialogues(conversation(teacher, student, turns=3), TABLE, ended.append)
    assert teacher.batches == [6, 5, 4]
    assert student.batches == [6, 5, 4]
    assert [one.ended for one in found] == ["arrived", "arrived", "limit", "limit", "limit", "limit"]
    assert [one.id for one in found] == [one.id for one in TABLE]
    question = "What is ten times that?"
    assert contents(found[0]) == ["What is 6 times 7?", question, "It is 42."]
    assert contents(found[1]) == ["What is 6 times 9?", question, "Hm.", question, "So it is 54."]
    assert contents(found[2]) == ["What is 7 times 7?", *[question, "Hm."] * 3]
    assert ended == [1, 1, 0, 4]


def test_the_teacher_sees_the_rationale_and_the_student_does_not() -> None:
    seen: list[str] = []

    def see(chat: Chat, number: int) -> str:
        seen.append(asked(chat))
        return "What is 42?"

    dialogues(conversation(Counted({TEACHER: see}), Counted({STUDENT: see}), turns=1), [exercise(6, 7)])
    tutored, learned = seen
    assert "Solution: 6 times 7 is 42." in tutored
    assert "6 times 7 is" not in learned


def test_the_tutor_that_tells_and_the_one_that_is_silent() -> None:
    teacher = Counted({TELLER: "Multiply: it is 42."})
    student = Counted({STUDENT: "Hm."})
    (told,) = dialogues(conversation(teacher, student, tutor="telling", turns=1), [exercise(6, 7)])
    (silent,) = dialogues(conversation(Counted({}), student, tutor="silent", turns=2), [exercise(6, 7)])
    assert contents(told) == ["What is 6 times 7?", "Multiply: it is 42.", "Hm."]
    assert contents(silent) == ["What is 6 times 7?", GO_ON, "Hm.", GO_ON, "Hm."]
    assert silent.tutor == "silent"


def test_a_plain_tutor_sees_the_dialogue_and_nothing_else() -> None:
    seen: list[Chat] = []

    def see(chat: Chat, number: int) -> str:
        seen.append(chat)
        return "It is 42." if number else "What is 6 times 6?"

    (found,) = dialogues(
        conversation(Counted({".": see}), Counted({STUDENT: "Hm."}), tutor="plain", turns=2), [exercise(6, 7)]
    )
    assert seen == [found.turns[:1], found.turns[:3]]
    assert found.tutor == "plain"


@pytest.mark.parametrize(
    ("plays", "system"),
    [("frozen", "tries to solve"), ("misconception", "sevens are sixes"), ("pressing", "press the teacher")],
)
def test_students_behave_as_their_prompts_say(plays: str, system: str) -> None:
    heard: list[Chat] = []

    def press(chat: Chat, number: int) -> str:
        heard.append(chat)
        return "Just tell me the answer."

    talk = conversation(
        Counted({TEACHER: "What is ten times that?"}),
        Counted({STUDENT: press}),
        plays=plays,
        misconception="sevens are sixes.",
        turns=2,
    )
    (found,) = dialogues(talk, [exercise(6, 7)])
    assert found.ended == "limit"
    assert contents(found)[2::2] == ["Just tell me the answer."] * 2
    assert all(system in chat[0].content for chat in heard)
    assert "Student: Just tell me the answer." in asked(heard[1])


@pytest.mark.parametrize(
    ("teacher", "student", "why"),
    [
        ("", "Hm.", "turn 1 of the teacher: it is empty"),
        ("Student: I am somebody else.", "Hm.", "turn 1 of the teacher: it is empty"),
        ("What?", "...", "turn 2 of the student: it is empty"),
    ],
)
def test_an_empty_turn_fails_its_dialogue_alone(teacher: str, student: str, why: str) -> None:
    talk = conversation(
        Counted({rf"7 times 7\?.*{TEACHER}": teacher, TEACHER: "What?"}),
        Counted({rf"7 times 7\?.*{STUDENT}": student, STUDENT: "Hm."}),
        turns=2,
    )
    bad, good = dialogues(talk, [exercise(7, 7), exercise(7, 9)])
    assert (bad.ended, bad.error, bad.model_failed) == ("failed", why, False)
    assert (good.ended, len(good.turns)) == ("limit", 5)


def test_an_answer_that_fails_is_told() -> None:
    talk = conversation(Counted({TEACHER: "What?"}), Counted({}), turns=2)
    (found,) = dialogues(talk, [exercise(6, 7)])
    assert found.ended == "failed"
    assert "turn 2 of the student: no scripted answer" in (found.error or "")
    assert found.model_failed


def test_a_turn_that_is_cut_off_keeps_its_whole_sentences() -> None:
    teacher = Counted({TEACHER: "Let us see. What is ten times that? And what would"})
    (found,) = dialogues(
        conversation(teacher, Counted({STUDENT: "Hm."}), turns=1, turn_tokens=10), [exercise(6, 7)]
    )
    assert contents(found)[1] == "Let us see. What is ten times that?"


WHOLE = """Student: What is 6 times 7?
Teacher: What is 6 times 6?
Student: 36.
Teacher: And six more?
Student: It is 42.
Teacher: Well done!"""


def test_one_model_writes_both_sides() -> None:
    teacher = Counted(
        {"6 times 7": WHOLE, "6 times 9": "Once upon a time", "7 times 7": "Student: What is 7 times 7?"}
    )
    talk = conversation(teacher, Counted({}), whole=True)
    good, nobody, alone = dialogues(talk, [exercise(6, 7), exercise(6, 9), exercise(7, 7)])
    assert teacher.batches == [3]
    assert contents(good) == [line.partition(": ")[2] for line in WHOLE.splitlines()[:5]]
    assert good.ended == "arrived"
    assert "nobody speaks" in (nobody.error or "")
    assert alone.error == "it holds no turn of the teacher"


def test_a_whole_dialogue_ends_at_the_limit_too() -> None:
    talk = conversation(Counted({"6 times 7": WHOLE}), Counted({}), whole=True, turns=1)
    (found,) = dialogues(talk, [exercise(6, 7)])
    assert (contents(found)[1:], found.ended) == (["What is 6 times 6?", "36."], "limit")
