"""Rows of open questions, their sample, and asking them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy import ScriptedLM
from selfstudy.errors import DataError
from selfstudy.verify.suites.open_questions import LONGEST, QUESTION, answers, read, sampled

FIELDS = {"question": QUESTION, "topic": ("topic",), "answers": ("answers", "answer")}


def rows(path: Path, *values: object) -> str:
    path.write_text("\n".join(json.dumps(value) for value in values), encoding="utf-8")
    return str(path)


def test_fields_have_several_names_and_repeats_are_asked_once(tmp_path: Path) -> None:
    file = rows(
        tmp_path / "q.jsonl",
        {"prompt": "A?", "topic": "a", "answers": ["x", "y\nz"]},
        {"question": "B?", "answer": "b"},
        {"prompt": "A?", "topic": "a", "answers": ["x", "y\nz"], "note": 3},
        {"instruction": "C?", "topic": None},
    )
    found = read(file, "s", FIELDS)
    assert [row["question"] for row in found] == ["A?", "B?", "C?"]
    assert [row["answers"] for row in found] == ["x\ny z", "b", ""]
    assert found[0]["topic"] == "a"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"topic": "a"}, "line 1 has no prompt or question"),
        ({"prompt": "  "}, "has no prompt"),
        ({"prompt": 3}, "must be text"),
        ([1], "expected an object"),
    ],
)
def test_a_row_that_cannot_be_asked_is_named(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read(rows(tmp_path / "q.jsonl", row), "s", FIELDS)
    assert "suite s" in str(caught.value)


def test_no_file_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read(str(tmp_path / "absent.jsonl"), "s", FIELDS)
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="no rows"):
        read(str(tmp_path / "empty.jsonl"), "s", FIELDS)


def test_long_fields_are_cut(tmp_path: Path) -> None:
    (found,) = read(rows(tmp_path / "q.jsonl", {"prompt": "x" * (LONGEST + 5)}), "s", FIELDS)
    assert len(found["question"]) == LONGEST


def test_the_sample_goes_by_the_seed_and_is_never_in_the_order_of_the_file() -> None:
    some = list(range(50))
    assert sampled(some, 10, 0) == sampled(some, 10, 0) != sampled(some, 10, 1)
    assert sorted(sampled(some, None, 0)) == some
    assert sampled(some, None, 0) != some
    assert sorted(sampled(some, 99, 0)) == some


def test_answers_are_greedy_and_failures_are_completions() -> None:
    found = answers(ScriptedLM({"good": ["one", "two"]}), ["good?", "bad?"])
    assert found[0].text == "one"
    assert (found[1].finish, found[1].text) == ("error", "")
