"""Transcripts in the shapes in which models write them, read by hand."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.models.transcripts import LONGEST, NoDialogueError, read, shown, spoken, turn_of, written
from selfstudy.records import Chat, Completion, Message


def said(*turns: tuple[str, str]) -> Chat:
    return tuple(Message(role=role, content=content) for role, content in turns)  # type: ignore[arg-type]


ASKED = said(("user", "What is 3/4 of 20?"), ("assistant", "What is a quarter of it?"))


@pytest.mark.parametrize(
    "text",
    [
        "Student: What is 3/4 of 20?\nTeacher: What is a quarter of it?",
        "student:What is 3/4 of 20?\n\n\nTEACHER :   What is a quarter of it?\n",
        "**Student:** What is 3/4 of 20?\n**Tutor:** What is a quarter of it?",
        "**Student**: What is 3/4 of 20?\n**Professor**: What is a quarter of it?",
        "- Learner: What is 3/4 of 20?\n- Instructor: What is a quarter of it?",
        'Student: "What is 3/4 of 20?"\nTeachers: “What is a quarter of it?”',
        "Pupil (frowning): What is 3/4 of 20?\nTeacher (smiling) : What is a quarter of it?",
        "Student: What is 3/4 of 20?\nTeacher:\nTeacher: What is a quarter of it?\nStudent:",
        "Student: What is 3/4 of 20?\r\nTeacher: What is a quarter of it?\r\n",
        "**Student: What is 3/4 of 20?**\n* Teacher: What is a quarter of it?",
        "Student: What is 3/4 of 20?\nTeacher:\n\n\n\n\nWhat is a quarter of it?",
        "```\nStudent: What is 3/4 of 20?\nTeacher: What is a quarter of it?\n",
    ],
)
def test_shapes(text: str) -> None:
    found = read(text)
    assert (found.turns, found.before, found.left_out) == (ASKED, "", 0)


@pytest.mark.parametrize(
    ("behind", "left_out"),
    [
        ("\n\nNote: The dialogue is an example.", "Note: The dialogue is an example."),
        ("\nNote that follows: nothing", "Note that follows: nothing"),
        ("\n\n\n\n\n//MS\n\n\nMS", "//MS\n\n\nMS"),
        ("\n---\nEnd", "---\nEnd"),
        ("\n```", "```"),
        ("\n\n**Note:** an example", "**Note:** an example"),
        ("\n(Note: an example)", "(Note: an example)"),
        ("\nPlease note that this is an example", "Please note that this is an example"),
        ("\n\nIn this example, the teacher guides.", "In this example, the teacher guides."),
        ("\r\n" * 4 + "MS", "MS"),
        ("\n***\n", "***"),
    ],
)
def test_what_is_written_behind_the_dialogue_is_left_out_and_counted(behind: str, left_out: str) -> None:
    found = read(written(ASKED) + behind)
    assert (found.turns, found.left_out) == (ASKED, len(left_out))


def test_paragraphs_and_notes_within_a_line_are_part_of_a_turn() -> None:
    turn = "Let x be the width.\n\n\nNow note: it is positive."
    assert read(f"Teacher: {turn}").turns == said(("assistant", turn))


@pytest.mark.parametrize(
    "turn",
    [
        "Let's see.\nNote: x must be positive. What is x?",
        "Compute it:\n```python\nprint(1)\n```\nWhat do you see?",
        "*sighs* I am lost.",
        "__init__ is a method.",
        '"Umm..." (pauses) "Is it 4?"',
        '"3" and "4"',
    ],
)
def test_what_belongs_to_a_turn_stays_in_it(turn: str) -> None:
    assert read(f"Teacher: {turn}\nStudent: So?").turns[0].content == turn


def test_the_system_is_nobody_in_a_transcript() -> None:
    system = Message(role="system", content="You are a tutor.")
    assert written((system, *ASKED)) == written(ASKED)


def test_turns_of_one_speaker_are_one_and_an_introduction_is_told() -> None:
    found = read("Here is the dialogue:\n\nStudent: Hello.\nStudent: Can you help?\nTeacher: Yes.")
    assert found.turns == said(("user", "Hello.\nCan you help?"), ("assistant", "Yes."))
    assert found.before == "Here is the dialogue:"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nobody speaks"),
        ("The student: a poem", "nobody speaks"),
        ("Student:\nTeacher:  \n", "nobody speaks"),
        ("x" * (LONGEST + 1), "characters"),
        ("Student: a\n" * 401, "401 turns"),
    ],
)
def test_what_is_no_transcript(text: str, why: str) -> None:
    with pytest.raises(NoDialogueError, match=why):
        read(text)


lines = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).map(str.strip)
speech = lines.filter(lambda line: line[:1].isalpha() and ":" not in line)


@given(st.lists(speech, min_size=1, max_size=6))
def test_what_is_written_is_read_again(contents: list[str]) -> None:
    dialogue = said(*(("assistant" if i % 2 else "user", one) for i, one in enumerate(contents)))
    assert read(written(dialogue)).turns == dialogue


@pytest.mark.parametrize(
    "text",
    [
        "Student: x" + "\n \n" * 60_000 + "y",
        "Student: x" + "\n" + " " * 190_000 + "y",
        "Student: x\n" + "=" * 190_000 + "y",
        "*" * 190_000 + "Student: x",
        "- " * 90_000 + "\nStudent: x",
        "Student: x" + "\nnote " * 30_000,
    ],
)
def test_long_runs_are_read(text: str) -> None:
    with suppress(NoDialogueError):
        assert read(text).turns[0].content.startswith("x")


def test_every_real_dialogue_is_read() -> None:
    """Rows 126 to 128 have no prompt."""
    file = Path(__file__).parents[3] / "shared" / "data" / "socratic" / "dialogues.csv"
    if not file.exists():
        pytest.skip("the data of the working place are not here")
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    prompts = [read(row["Prompt"]) for row in rows if row["Prompt"].strip()]
    answers = [read(row["Good answer"]) for row in rows]
    assert (len(prompts), len(answers)) == (597, 600)
    assert {one.before for one in (*prompts, *answers)} == {""}
    assert {one.turns[0].role for one in answers} == {"assistant"}
    contents = [turn.content for one in answers for turn in one.turns]
    assert max(map(len, contents)) < 600  # no lines of garbage
    assert not [one for one in contents if "In this example" in one or "an example" in one or "Note:" in one]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("What is a half of it?", "What is a half of it?"),
        ("Teacher: What is a half of it?", "What is a half of it?"),
        ("What is a half of it?\nStudent: 6.\nTeacher: Good!", "What is a half of it?"),
        (' **Teacher:** "What is a half of it?"\n\nNote: this is a dialogue.', "What is a half of it?"),
        ("Student: I do not know.", ""),
        ("Here is my turn:\n**Teacher:** What is a half of it?", "What is a half of it?"),
        ("\nTeacher: What is a half of it?\nTeacher: Good!", "What is a half of it?"),
        ("Think of 12:\nStudent: Why?\nTeacher: So.", "Think of 12:"),
        ("I go on. As follows:\n\nTeacher: So.", "So."),
        ("A first line.\nAs follows:\nTeacher: So.", "A first line.\nAs follows:"),
        ("", ""),
        ("\nStudent: 6.", ""),
    ],
)
def test_a_reply_that_is_one_turn(reply: str, said: str) -> None:
    assert spoken(reply) == said


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Good. What is a half", "Good."),
        ("What is a half", ""),
        ("What is a half of it?\nStudent: It may", "What is a half of it?"),
        ("What is a half of it?\n\nNote: this is", "What is a half of it?"),
    ],
)
def test_what_was_cut_off_behind_a_turn_takes_nothing_from_it(reply: str, said: str) -> None:
    assert turn_of(Completion(text=reply, finish="length")) == said


def test_what_a_student_says() -> None:
    assert spoken("Student: It is 42.\nTeacher: Well done!", "user") == "It is 42."
    assert spoken("It is 42.", "user") == "It is 42."
    assert spoken("Teacher: Well done!", "user") == ""
    assert spoken("Student: It is 42.") == ""


def test_a_judge_reads_one_question_as_it_is_and_several_turns_by_who_says_them() -> None:
    told = Message(role="system", content="Be brief.")
    assert shown(said(("user", "Why?"))) == "Why?"
    assert shown((told, *said(("user", "Why?")))) == "Be brief.\nWhy?"
    turns = said(("user", "Why?"), ("assistant", "Guess."), ("user", "No."))
    assert shown((told, *turns)) == "Be brief.\nUser: Why?\nAssistant: Guess.\nUser: No."
