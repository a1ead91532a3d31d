"""A question is found as people put it, and what they say is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.run import Run, corrections

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
