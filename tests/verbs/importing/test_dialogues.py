"""Tutoring dialogues of others: what they become, what is refused, and that they are taught."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.atlas import world
from selfstudy.atlas.language import wordings
from selfstudy.files.rows import MalformedError
from selfstudy.loop import Study
from selfstudy.records import Example, Failure, Message, Pair, TrainingStep
from selfstudy.run import Run
from selfstudy.verbs.importing.dialogues import is_dialogue, read_dialogue
from selfstudy.verbs.importing.file import import_file
from tests.stories.small import cli, refusal
from tests.verbs.importing.test_preferences import lines, read

torch.set_num_threads(1)

SO_FAR = "Student: Can you help me?\nTeacher: Of course.\nStudent: What is 3 times 4?\n"
NEXT = "Teacher: What is 3 times 2?\n"
TURNS = (
    Message(role="user", content="Can you help me?"),
    Message(role="assistant", content="Of course."),
    Message(role="user", content="What is 3 times 4?"),
)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": SO_FAR, "good answer": NEXT, "bad answer": ""},
        {"prompt": SO_FAR, "good_answer": "What is 3 times 2?"},
        {"prompt": SO_FAR, "chosen": NEXT, "rejected": None},
        {"question": SO_FAR, "answer": NEXT},
        {
            "messages": [turn.model_dump(include={"role", "content"}) for turn in TURNS],
            "chosen": [{"role": "assistant", "content": "What is 3 times 2?"}],
        },
    ],
)
def test_a_next_turn_alone(row: dict[str, Any]) -> None:
    found = read_dialogue(row)
    question, example = found.question, found.taught
    assert isinstance(example, Example)
    assert (example.prompt, example.completion) == (TURNS, "What is 3 times 2?")
    assert (example.kind, example.question_id, question.text) == ("imported", question.id, TURNS[-1].content)


def test_a_worse_turn_makes_a_pair() -> None:
    pair = read_dialogue({"prompt": SO_FAR, "good answer": NEXT, "bad answer": "Teacher: It is 12."}).taught
    assert isinstance(pair, Pair)
    assert (pair.prompt, pair.chosen, pair.rejected) == (TURNS, "What is 3 times 2?", "It is 12.")
    assert pair.origin == "imported"


def test_what_stands_before_the_dialogue_is_the_systems() -> None:
    example = read_dialogue({"prompt": f"A lesson in arithmetic.\n{SO_FAR}", "chosen": NEXT}).taught
    assert example.prompt == (Message(role="system", content="A lesson in arithmetic."), *TURNS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "", "good answer": NEXT}, "the dialogue so far, is missing or empty"),
        ({"prompt": "What is 3?", "good answer": NEXT}, "'prompt': nobody speaks"),
        ({"prompt": SO_FAR + NEXT, "good answer": NEXT}, "must end with what the student says"),
        (
            {"messages": [{"role": "user", "content": " "}], "chosen": NEXT},
            "must end with what the student says",
        ),
        ({"prompt": SO_FAR, "good answer": " "}, "next turn, is missing or empty"),
        ({"prompt": SO_FAR, "good answer": "Student: Me!"}, "must be one turn of the tutor"),
        ({"prompt": SO_FAR, "good answer": NEXT + "Student: 6."}, "must be one turn of the tutor"),
        ({"prompt": SO_FAR, "good answer": "Half?\nStudent: 6."}, "must be one turn of the tutor"),
        ({"prompt": SO_FAR, "good answer": NEXT, "answer": "It is 12."}, "hold the same turn of the tutor"),
        ({"prompt": SO_FAR, "chosen": NEXT, "options": ["6", "12"]}, "options belong to no dialogue"),
        ({"prompt": SO_FAR, "good answer": NEXT, "bad answer": "what is 3  times 2?"}, "are equal"),
        ({"prompt": SO_FAR, "good answer": NEXT, "context": "A page."}, "'context' would be dropped"),
    ],
)
def test_a_row_that_cannot_be_used(row: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        read_dialogue(row)


def test_the_student_is_kept_whole_and_behind_a_tutors_turn_a_note_is_not() -> None:
    sum_ = "My sum:\n  12\n+ 30\n----\n  42\nNote: x is whole.\nIs it right?"
    found = read_dialogue(
        {"prompt": f"Student: {sum_}", "good answer": "<think>Hm.</think>Half?\n\nNote: this is a dialogue."}
    )
    assert found.taught.prompt[-1].content == sum_
    assert isinstance(found.taught, Example)
    assert (found.taught.completion, found.left_out > 0) == ("Half?", True)


@pytest.mark.parametrize(
    ("row", "known"),
    [
        ({"prompt": SO_FAR, "good answer": NEXT, "bad answer": ""}, True),
        ({"prompt": "", "good answer": ""}, True),  # a bad row of such a file
        ({"prompt": SO_FAR, "chosen": NEXT, "rejected": "It is 12."}, False),
        ({"question": "Teacher: who wrote Faust?", "answer": "Goethe"}, False),
        ({"instruction": "Student: rewrite", "input": "a", "output": "b"}, False),
        ({"question": "Who?", "answer": "A", "good answer": "B", "bad answer": "C"}, False),
    ],
)
def test_only_the_published_columns_tell_dialogues(row: dict[str, Any], known: bool) -> None:
    assert is_dialogue(row) is known


def table(folder: Path, count: int = 5) -> Path:
    """Rows as the published set has them: no bad answers, one row without its dialogue."""
    facts = [fact for fact in world.facts() if fact.attribute == "capital"][:count]
    rows = [
        f'"Student: {wordings("capital", fact.entity)[0]}\n",,"Teacher: What do you know of {fact.entity}?"'
        for fact in facts
    ]
    path = folder / "dialogues.csv"
    path.write_text("\n".join(["Prompt,Bad answer,Good answer", *rows, ',,"Teacher: Well?"']) + "\n")
    return path


def test_the_published_layout_is_known_and_its_bad_rows_are_counted(tmp_path: Path) -> None:
    assert "line 12" in refusal(cli("import", table(tmp_path), "--run", tmp_path / "refused"))
    found = import_file(table(tmp_path), tmp_path / "run", skip_bad=True)
    assert found["notes_left_out"] == 0
    assert (found["kind"], found["given"], found["imported"], found["failed"]) == ("dialogues", 6, 5, 1)
    with Run.open(tmp_path / "run", write=False) as run:
        assert run.recipe.teach.method == "socratic"
    assert len(read(tmp_path / "run", Example)) == 5


def test_pairs_come_back_turned_round(tmp_path: Path) -> None:
    good = {"prompt": SO_FAR, "good answer": NEXT, "bad answer": "Teacher: It is 12."}
    bad = {"prompt": SO_FAR, "good answer": "Teacher: It is 12.", "bad answer": NEXT}
    found = import_file(lines(tmp_path, good, bad, good), tmp_path / "run", skip_bad=True)
    assert (found["imported"], found["duplicates"], found["failed"]) == (1, 1, 1)


@pytest.mark.parametrize("rejected", ["own", "telling"])
def test_the_next_turns_are_taught_against_what_the_model_says(rejected: str, tmp_path: Path) -> None:
    settings = {
        "model.path": "atlas",  # says whole sentences; a random model says none
        "teach.lora.r": 4,
        "teach.socratic.rejected": rejected,
        "teach.socratic.turn_tokens": 32,
        "teach.socratic.temperature": 0.5,
        "teach.socratic.epochs": 10,
        "teach.socratic.batch_size": 5,
        "teach.socratic.learning_rate": 0.01,
    }
    import_file(
        table(tmp_path),
        tmp_path / "run",
        overrides=[f"{key}={value}" for key, value in settings.items()],
        skip_bad=True,
    )
    with Run.open(tmp_path / "run") as run:
        Study(run).teach()
        pairs, failures = run.round(1).read(Pair), run.round(1).read(Failure)
        curve = [step.loss for step in run.round(1).iter(TrainingStep)]
    assert {pair.origin for pair in pairs} == {rejected}
    assert len(pairs) >= 3
    assert len(pairs) + sum(failure.stage == "teach" for failure in failures) == 5
    assert all(pair.rejected and pair.rejected != pair.chosen for pair in pairs)
    assert curve[-1] < curve[0] / 2
