"""How far a run is, also one that is damaged, being written, or of another version; nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.errors import RunError
from selfstudy.files import own
from selfstudy.loop.jobs import do_part
from selfstudy.recipe import Recipe
from selfstudy.records import Question
from selfstudy.run import Round, Run
from selfstudy.verbs.status.status import RunStatus, status_of

from ...run.sharded import answer, begin, make_recipe, whole


def shown(run: Path) -> str:
    result = CliRunner().invoke(app, ["status", str(run)])
    assert result.exit_code == 0, result.output
    return result.stdout


def state(run: Path) -> dict[Path, tuple[int, int]]:
    """Of every file, its size and when it was written."""
    return {file: (file.stat().st_size, file.stat().st_mtime_ns) for file in run.rglob("*")}


def test_a_run_without_shards(tmp_path: Path) -> None:
    run = whole(tmp_path / "run", make_recipe(tmp_path))
    before = state(run)
    found = status_of(run)
    assert not found.finished
    assert found.rounds[0].finished == ("probe", "gather")
    assert found.rounds[0].stage == "teach"
    assert (found.calls > 50, found.seconds > 0, found.problems, found.shards) == (True, True, (), ())
    assert "round 1, teach" in shown(run)
    assert state(run) == before


def test_shards_are_told_one_by_one(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 4, 1, 3)
    (run / "shards/003-of-004/rounds/1/gather.done").unlink()
    found = status_of(run)
    assert [one.state for one in found.shards] == ["done", "not begun", "begun", "not begun"]
    assert "gathering" in shown(run)
    assert "1 done" in shown(run)
    answer(run, 4, 2, 3, 4)
    spent = status_of(run).calls
    do_part(run, "merge", 1)
    assert (status_of(run).shards, status_of(run).calls) == ((), spent)


def test_while_another_process_writes(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    with Run.open(run) as held:
        file = held.round(1).path / "answers.jsonl"
        file.write_bytes(b'{"id": "x"}\n{"id": "to')
        found = status_of(run)
    assert {step.step: step.done for step in found.rounds[0].steps}["answering"] == 1
    assert file.read_bytes().endswith(b'"to')  # not repaired: who writes is not done


@pytest.mark.parametrize(
    "name", ["recipe.yaml", "usage.json", "timings.jsonl", "rounds/1/gate.json", "run.json"]
)
def test_what_is_damaged_is_said_and_the_rest_told(tmp_path: Path, name: str) -> None:
    run = whole(tmp_path / "run", make_recipe(tmp_path))
    (run / name).write_bytes(b"{\x00\n[[[\n")
    found = status_of(run)
    assert found.problems
    assert found.rounds[0].finished == ("probe", "gather")
    assert "cannot be read: " in shown(run)


def test_a_round_that_another_user_closed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        run.round(1).append([Question(text="a")])

    def closed(*_: object) -> bool:  # as the system says to all but root, who may run this test
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Round, "finished", closed)
    found = status_of(tmp_path / "run")
    assert any("Permission denied" in problem for problem in found.problems)


def test_a_run_of_another_version(tmp_path: Path) -> None:
    run = whole(tmp_path / "run", make_recipe(tmp_path))
    data = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(data | {"format": 1, "selfstudy": "0.1.0"}))
    found = status_of(run)
    assert "another version" in found.problems[0]
    assert found.rounds[0].stage == "teach"


def test_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run at"):
        status_of(tmp_path)


def test_a_finished_run(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", make_recipe(tmp_path, rounds=2)) as run:
        for stage in ("probe", "gather", "teach", "verify"):
            run.round(1).finish(stage)
        run.write_json(run.round(1).gate_file, {"promoted": False})
    found = status_of(tmp_path / "run")
    assert (found.finished, found.rounds[0].outcome) == (True, "stopped: nothing was promoted")


def test_as_json(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    result = CliRunner().invoke(app, ["status", str(run), "--json"])
    data = json.loads(result.stdout)
    assert data.keys() == set(RunStatus.__dataclass_fields__)
    assert data["rounds"][0]["steps"] == [{"step": "asking", "done": 15, "of": 15, "about": False}]


def test_numbers_that_are_none_are_null_in_json(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    (run / "usage.json").write_text('{"seconds": 1.0, "stages": {"probe": {"calls": 1, "cost": 1e999}}}')
    said = CliRunner().invoke(app, ["status", str(run), "--json"]).stdout
    data = json.loads(said, parse_constant=lambda name: pytest.fail(name))
    assert not data["cost"]


def test_rounds_without_end_are_not_looked_for(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path, rounds=10**12))
    own.make(run / "slurm")
    assert status_of(run).rounds_wanted == 10**12
