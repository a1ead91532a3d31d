"""Dialogues of others are measured without a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.verbs.socratic.given import read_given

FIRST = "Student: I have a problem with the sum of six times seven here, can you please help me with it?"
SECOND = f"{FIRST}\nTeacher: What is 6 times 6?\nStudent: It is 36."
OTHER = "Student: Somebody else wants to know how many bricks there are in a wall of nine rows of seven."


def file(path: Path, *rows: dict[str, str]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


ROWS = (
    {"Prompt": FIRST, "Good answer": "Teacher: What is 6 times 6?", "Sum": "42"},
    {"Prompt": SECOND, "Good answer": "Teacher: Then it is 42.", "Sum": "42"},
    {"Prompt": OTHER, "Good answer": "Teacher: What is 7 times 9?", "Sum": "63"},
    {"Prompt": "", "Good answer": "Teacher: Hm?", "Sum": "1"},
)


def test_no_turn_counts_twice(tmp_path: Path) -> None:
    rows = [{name: row[name] for name in ("Prompt", "Good answer")} for row in ROWS]
    found = read_given(file(tmp_path / "a.jsonl", *rows), {})
    assert (found.rows, found.by_rule.dialogues, found.by_rule.turns) == (3, 2, 3)
    assert found.by_rule.asking is not None
    assert found.by_rule.asking.value == 2 / 3
    assert found.by_rule.leaking is None
    assert found.by_rule.unsolved == 2
    assert len(found.failed) == 1
    assert found.failed[0].startswith("line 4: ")


def test_leaking_is_measured_where_the_solution_is_named(tmp_path: Path) -> None:
    found = read_given(file(tmp_path / "a.jsonl", *ROWS), {"answer": "Sum"})
    assert found.by_rule.leaking is not None
    assert found.by_rule.leaking.value == 1 / 3
    assert found.by_rule.unsolved == 0


def test_a_letter_leaks_where_the_options_are_named(tmp_path: Path) -> None:
    row = {
        "Prompt": FIRST,
        "Good answer": "Teacher: Take option (b).",
        "Right": "b",
        "Given": "a ) 41 , b ) 42",
    }
    found = read_given(file(tmp_path / "a.jsonl", row), {"answer": "Right", "options": "Given"})
    assert found.by_rule.leaking is not None
    assert found.by_rule.leaking.value == 1


def test_a_file_without_dialogues(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)none of 1 rows is a dialogue.*line 1"):
        read_given(file(tmp_path / "a.jsonl", {"a": "b"}), {})
