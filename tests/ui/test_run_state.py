"""The state of a run: by its files, its lock, and the process that was started for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.recipe import Recipe
from selfstudy.run import Run
from selfstudy.ui import processes
from selfstudy.ui.desk import Desk
from selfstudy.ui.run_state import pending, state_of


def test_a_run_that_another_process_writes_and_one_that_nobody_does(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "one", Recipe()):
        assert state_of(Desk(tmp_path), "one").state == "elsewhere"
    assert state_of(Desk(tmp_path), "one").state in ("stopped", "elsewhere")
    with pytest.raises(RunError):
        state_of(Desk(tmp_path), "none")


def test_a_command_of_the_folder_itself_is_no_run_that_is_still_to_come(tmp_path: Path) -> None:
    place = processes.place_of(tmp_path, ".")
    place.mkdir(parents=True)
    (place / "process.json").write_text('{"words": ["learn"], "pid": 2, "began": "once"}')
    assert pending(Desk(tmp_path)) == []


def test_a_command_that_failed_before_its_run_was_made_is_told_with_its_log(tmp_path: Path) -> None:
    place = processes.place_of(tmp_path, "one")
    command = processes.start(place, ["learn", str(tmp_path / "none.yaml"), "--run", str(tmp_path / "one")])
    assert state_of(Desk(tmp_path), "one").state == "starting"
    assert pending(Desk(tmp_path)) == ["one"]
    while processes.runs(command):
        pass
    found = state_of(Desk(tmp_path), "one")
    assert found.state == "failed"
    assert any("cannot read the recipe" in line for line in found.log)
