"""Rows become exercises; a bad one is told by its place and costs no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError, RecipeError
from selfstudy.judging.tutoring import Solution
from selfstudy.verbs.socratic.exercises import named_columns, read_exercises

OPTIONS = "a ) 38 , b ) 1,027.675 , c ) 30 , d ) data inadequate , e ) none of these"
MATHQA = {"Problem": "how many ?", "Rationale": "count them", "options": OPTIONS, "correct": "a"}


def file(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_mathqa(tmp_path: Path) -> None:
    (found,) = read_exercises(file(tmp_path / "a.jsonl", MATHQA), {}).usable
    assert (found.problem, found.rationale) == ("how many ?", "count them")
    assert found.solution == Solution("38", "", "how many ?")  # options are shown to nobody


def test_other_layouts(tmp_path: Path) -> None:
    gsm8k = {"question": "6 * 7?", "answer": "It is 6 times 7.\n#### 42"}
    plain = {"problem": "3 + 4?", "solution": "3 + 4 is 7", "answer": 7, "misconception": "4 is even"}
    listed = {"question": "1 + 1?", "explanation": "x", "choices": ["2", "3"], "answer": "2"}
    found = read_exercises(file(tmp_path / "a.jsonl", gsm8k, plain, listed), {}).usable
    assert [(one.rationale, one.solution.answer) for one in found] == [
        ("It is 6 times 7.", "42"),
        ("3 + 4 is 7", "7"),
        ("x", "2"),
    ]
    assert [one.misconception for one in found] == ["", "4 is even", ""]


def test_columns_can_be_named(tmp_path: Path) -> None:
    row = {"Task": "1 + 1?", "Why": "1 and 1", "Result": "2", "answer": "another thing"}
    named = named_columns(["problem=Task", "rationale=why", "answer=Result"])
    (found,) = read_exercises(file(tmp_path / "a.jsonl", row), named).usable
    assert (found.problem, found.rationale, found.solution.answer) == ("1 + 1?", "1 and 1", "2")


def test_a_bad_row_costs_no_other(tmp_path: Path) -> None:
    path = file(
        tmp_path / "a.jsonl",
        {**MATHQA, "Rationale": " "},
        {**MATHQA, "correct": "f"},
        {**MATHQA, "Problem": ""},
        {**MATHQA, "correct": "e"},
        {**MATHQA, "Problem": 3},
        "no json",
        {"question": "q", "answer": "because ####"},
        MATHQA,
        {**MATHQA, "Problem": "How many ?", "correct": "c"},
    )
    found = read_exercises(path, {})
    assert [one.solution.answer for one in found.usable] == ["38"]
    assert found.repeats == 1
    expected = [
        "no rationale",
        "'f' is not one",
        "no problem",
        "none of these",
        "must be text",
        "not JSON",
        "####",
    ]
    assert [line.partition(":")[0] for line in found.failed] == [f"line {i}" for i in range(1, 8)]
    for line, why in zip(found.failed, expected, strict=True):
        assert why in line


def test_only_the_first(tmp_path: Path) -> None:
    rows = [{**MATHQA, "Problem": f"problem {i}"} for i in range(5)]
    found = read_exercises(file(tmp_path / "a.jsonl", "no json", *rows), {}, 2)
    assert [one.problem for one in found.usable] == ["problem 0", "problem 1"]


def test_a_file_without_any_says_what_to_do(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}"} for i in range(7)]
    with pytest.raises(DataError) as raised:
        read_exercises(file(tmp_path / "a.jsonl", *rows), {})
    told = str(raised.value)
    assert "none of 7 rows" in told
    assert "line 5" in told
    assert "line 6" not in told
    assert "2 more" in told
    assert "--column problem=" in told
    assert "has: text" in told


@pytest.mark.parametrize("option", ["problem", "task=x", "problem= "])
def test_a_column_that_is_none(option: str) -> None:
    with pytest.raises(RecipeError, match="NAME: problem, rationale"):
        named_columns([option])
