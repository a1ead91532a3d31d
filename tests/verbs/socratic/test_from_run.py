"""Exercises out of a run, which stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError, RunError
from selfstudy.records import Question, Verdict
from selfstudy.run import Run
from selfstudy.verbs.socratic.exercises import LONGEST_REASON
from selfstudy.verbs.socratic.from_run import read_run
from tests.verbs.socratic.small_run import CAPITALS, asked, make_run


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_gaps_become_exercises_and_all_else_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    before = files(run)
    found = read_run(run)
    assert [(one.problem, one.solution.answer) for one in found.usable] == [
        (asked("Mali"), "Bamako"),
        (asked("Chad"), "Ndjamena"),
        (asked("Togo"), "Lome"),
    ]
    assert found.usable[0].rationale == "Mali is a country. Bamako is the capital of Mali. It is warm there."
    # what it firmly believes is its misconception
    assert [one.misconception for one in found.usable] == ["", "The capital of Chad is Timbuktu.", ""]
    assert (found.repeats, found.known) == (0, 1)
    assert found.failed == (
        f"{asked('Fiji')}: no reference was accepted: 5 other answers do not agree",
        f"{asked('Narnia')}: no evidence was found",
        f"{asked('Oman')}: gather failed: the server is down",
    )
    assert files(run) == before
    assert [one.problem for one in read_run(run, most=2).usable] == [asked("Mali"), asked("Chad")]


def test_each_that_is_no_gap_has_its_own_reason(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run")
    folder = path / "rounds/1"

    def change(name: str, edit: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in edit(rows)))

    def question_id(country: str) -> str:
        return Question(text=asked(country)).id

    def answers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = [row for row in rows if row["question_id"] != question_id("Mali")]
        for row in rows:
            if row["question_id"] == question_id("Togo"):  # unsure: the passage is what is to be said
                row["passage"]["text"] = ""
        return rows

    def failures(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "message": "<html>\n" + "error " * 999} for row in rows]

    change("answers.jsonl", answers)
    change("failures.jsonl", failures)
    (path / "kept_apart.json").write_text(json.dumps({"questions": [question_id("Chad")]}))
    make_run(tmp_path / "other")
    (tmp_path / "other/rounds/1").rename(path / "rounds/2")
    found = read_run(path)
    whys = dict(line.split("?: ") for line in found.failed[:5])
    assert whys["What is the capital of Mali"] == "the model's answer is missing in the run"
    assert whys["What is the capital of Togo"] == "the model's most probable answer is empty"
    assert f"{asked('Chad')}: kept apart to test the run" in found.failed[5:]
    long = whys["What is the capital of Oman"]
    assert long.startswith("gather failed: <html> error error")
    assert len(long) == LONGEST_REASON


def test_a_question_of_two_rounds_is_taken_once(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run")
    make_run(tmp_path / "other")
    (tmp_path / "other/rounds/1").rename(path / "rounds/2")
    found = read_run(path)
    assert len(found.usable) == 3
    assert found.repeats == 3


def test_a_run_without_references_is_told_what_makes_them(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", references=False)
    with pytest.raises(RunError, match="has no references") as caught:
        read_run(run)
    assert f"selfstudy gather {run}" in caught.value.hint
    with pytest.raises(RunError, match="no run at"):
        read_run(tmp_path / "nowhere")


def test_a_run_that_knows_all_has_no_exercises(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run")
    with Run.open(path, write=False) as run:
        verdicts = run.round(1).read(Verdict)
    known = [one.model_copy(update={"kind": "known"}) for one in verdicts[: len(CAPITALS) - 1]]
    lines = "".join(one.model_dump_json() + "\n" for one in [*known, *verdicts[len(known) :]])
    (path / "rounds/1/verdicts.jsonl").write_text(lines)
    with pytest.raises(DataError, match="none of 7 questions is an exercise, 4 of them because"):
        read_run(path)
