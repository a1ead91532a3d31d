"""A question is found as people put it, and what they say is kept."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.judging.labels import find_labels
from selfstudy.records import Question
from selfstudy.run import Run, corrections
from selfstudy.verbs.correct import labels_said

from .lineages import FIJI, IDS, make_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with make_run(tmp_path / "run"):
        pass
    return tmp_path / "run"


def test_a_question_in_words_or_by_id_is_corrected_and_why_shows_it(folder: Path) -> None:
    say = CliRunner().invoke
    first = say(app, ["correct", str(folder), FIJI.lower(), "--label", "cannot-tell", "--by", "Ana"])
    assert first.exit_code == 0, first.output
    given = ["--reference", "It is Suva.", "--note", "[red]see\x1b[2J the map[/red]"]
    assert say(app, ["correct", str(folder), IDS[FIJI], *given]).exit_code == 0
    said = corrections.read(Run.open(folder, write=False))
    shown = say(app, ["why", str(folder), FIJI]).output
    assert "Ana: cannot tell whether the model's answer is right" in shown
    assert "\x1b[2J" not in shown
    assert "[red]see" in shown
    assert [(one.question_id, one.label) for one in said] == [(IDS[FIJI], "cannot tell"), (IDS[FIJI], None)]


def test_a_question_that_is_not_there_is_told_and_nothing_is_kept(folder: Path) -> None:
    result = CliRunner().invoke(app, ["correct", str(folder), "Who painted the ceiling?", "--label", "right"])
    assert result.exit_code == 2
    assert "has no question like" in result.output
    assert corrections.read(Run.open(folder, write=False)) == []


def test_a_reference_is_withdrawn_and_why_says_so(folder: Path) -> None:
    say = CliRunner().invoke
    assert say(app, ["correct", str(folder), IDS[FIJI], "--reference", "It is Suva."]).exit_code == 0
    taken = say(app, ["correct", str(folder), IDS[FIJI], "--withdraw", "reference", "--note", "of Labasa"])
    assert "counts no more" in taken.output
    assert "the reference given before is withdrawn" in say(app, ["why", str(folder), FIJI]).output
    again = say(app, ["correct", str(folder), IDS[FIJI], "--withdraw", "reference"])
    assert (again.exit_code, "none to withdraw" in again.output) == (2, True)
    assert corrections.standing(Run.open(folder, write=False))[IDS[FIJI]].reference is None


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_labels_that_are_exported_read_back_as_those_of_the_run(folder: Path, ending: str) -> None:
    file = folder.parent / f"labels{ending}"
    say = CliRunner().invoke
    assert "nobody has said" in say(app, ["correct", str(folder), "--export", str(file)]).output
    with Run.open(folder, write=False) as run:
        questions = [name for name in IDS.values() if name in set(run.round(1).ids(Question))]
        labels = ["right", "wrong", "cannot tell"]
        for name, label in zip(questions, labels, strict=False):
            corrections.add(run, name, label="right")
            corrections.add(run, name, label=label, note="=1+1", by="Ana")  # type: ignore[arg-type]
        corrections.add(run, "of no question of it", label="wrong")
        assert len(questions) >= 2
        assert say(app, ["correct", str(folder), "--export", str(file)]).exit_code == 0
        own, read = find_labels(run.round(1), None), find_labels(run.round(1), None, file)
        mine = {row["question_id"]: row["known"] for row in labels_said(run)}
    assert read.known == {name: value == "true" for name, value in mine.items() if value != "cannot tell"}
    assert (read.known, read.cannot_tell) == ({k: own.known[k] for k in read.known}, own.cannot_tell)
    assert (own.people, read.strangers) == (len(read.known), 0)
    refused = say(app, ["correct", str(folder), "--export", str(file)])
    assert (refused.exit_code, "is there already" in refused.output) == (2, True)
    if ending == ".csv":
        assert next(csv.DictReader(file.open(newline="")))["note"] == "'=1+1"


def test_what_cannot_be_exported_is_told(folder: Path) -> None:
    for words, told in (
        (["--export", "x.txt"], "is no name of a file of labels"),
        ([FIJI, "--label", "right", "--export", "x.csv"], "give it alone"),
        ([], "no question is named"),
    ):
        result = CliRunner().invoke(app, ["correct", str(folder), *words])
        assert (result.exit_code, told in result.output) == (2, True), result.output
    assert "kept" in CliRunner().invoke(app, ["correct", str(folder), FIJI, "--label", "right"]).output
    inside = folder / "rounds" / "9" / "x.csv"  # which would be a round from then on
    result = CliRunner().invoke(app, ["correct", str(folder), "--export", str(inside)])
    assert (result.exit_code, "in the run itself" in result.output) == (2, True), result.output
    assert not inside.parent.exists()
