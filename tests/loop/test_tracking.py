"""A run's tracker gets the curves and figures of each round: once, in order, and no word of the user's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run, Study
from selfstudy.errors import RecipeError
from selfstudy.files import private
from selfstudy.loop import tracking
from selfstudy.loop.stages import run_stage
from selfstudy.loop.tracking import TrackedRun, curves, new_rows
from selfstudy.progress import Silent
from selfstudy.recipe import Recipe
from selfstudy.records import STAGES, Question, TrainingStep
from selfstudy.tracking import sending
from selfstudy.tracking.order import TrackOrder
from tests.tracking.kept import everything, kept

SECRET = "Zanzibar-4711"
GATE = {"promoted": True, "reasons": [SECRET], "gains": {}, "margins": {"known": 0.05}}


class Notes(Silent):
    """What was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def steps(arm: Any, phase: str, *losses: float) -> list[TrainingStep]:
    return [
        TrainingStep(arm=arm, phase=phase, step=at, loss=loss, metrics={"rewards/margins": loss / 2})
        for at, loss in enumerate(losses, 1)
    ]


def finish(run: Run, number: int, *stages: str) -> None:
    """A round of which these stages have finished."""
    part = run.round(number)
    if "probe" in stages:
        part.append([Question(text=f"Who lives in {SECRET}?", method="open")])
    if "teach" in stages:
        part.append([*steps("taught", "sft", 4, 2), *steps("taught", "dpo", 1), *steps("control", "sft", 8)])
    if "verify" in stages:
        run.write_json(part.gate_file, GATE)
    for stage in stages:
        part.finish(stage)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    recipe = Recipe.model_validate({"track": "trackio", "library": f"/{SECRET}/texts"})
    with Run.create_or_resume(tmp_path / SECRET, recipe) as made:
        yield made


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[TrackOrder]:
    """What would be sent; nothing is."""
    found: list[TrackOrder] = []

    def send(order: TrackOrder, block: object) -> str:
        found.append(order)
        return "there"

    monkeypatch.setattr(sending, "send", send)
    return found


def test_phases_follow_each_other_and_arms_stand_side_by_side(run: Run) -> None:
    finish(run, 1, "probe", "gather", "teach")
    assert curves(run.round(1)) == [
        (
            1,
            {
                "train/taught/sft/loss": 4.0,
                "train/taught/sft/rewards_margins": 2.0,
                "train/control/sft/loss": 8.0,
                "train/control/sft/rewards_margins": 4.0,
            },
        ),
        (2, {"train/taught/sft/loss": 2.0, "train/taught/sft/rewards_margins": 1.0}),
        (3, {"train/taught/dpo/loss": 1.0, "train/taught/dpo/rewards_margins": 0.5}),
    ]


def test_groups_are_numbers_and_what_is_no_number_is_left_out(run: Run) -> None:
    part = run.round(1)
    part.append([*steps("taught", f"{SECRET}/sft", 4, 3), *steps("taught", "other/sft", float("nan"), 1)])
    found = curves(part)
    assert [step for step, _ in found] == [1, 2, 4]
    assert found[0][1].keys() == {
        "train/taught/adapter-1/sft/loss",
        "train/taught/adapter-1/sft/rewards_margins",
    }
    assert "train/taught/adapter-2/sft/loss" in found[2][1]
    assert SECRET not in str(found)


def test_of_a_long_curve_a_part_is_sent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "MOST_STEPS", 4)
    run.round(1).append(steps("taught", "sft", *range(1, 10)))
    assert [step for step, _ in curves(run.round(1))] == [1, 4, 7]


def test_a_curve_of_any_size_is_sent(run: Run) -> None:
    """More bytes than are read at once."""
    finish(run, 1, "teach")
    line = TrainingStep(arm="taught", phase="sft", step=1, loss=4).model_dump_json().encode()
    file = run.round(1).path / TrainingStep.file
    file.write_bytes(line[:-1] + b" " * private.LARGEST + b"}\n")
    rows, _ = new_rows(run, TrackedRun())
    assert [row.numbers for row in rows] == [{"train/taught/sft/loss": 4.0}]


def test_what_was_done_again_is_sent_again_further_on(run: Run) -> None:
    finish(run, 1, *STAGES)
    rows, stages = new_rows(run, TrackedRun())
    assert [row.step for row in rows] == [1, 2, 3, 4]
    assert rows[-1].numbers["round/gate/promoted"] == 1.0
    before = TrackedRun(stages=stages, step=4)
    assert new_rows(run, before) == ((), {})
    run.write_json(run.round(1).gate_file, GATE | {"promoted": False})
    again, _ = new_rows(run, before)
    assert [(row.step, row.numbers["round/gate/promoted"]) for row in again] == [(5, 0.0)]


def test_a_stage_sends_when_it_ends_and_a_resumed_run_nothing(run: Run, orders: list[TrackOrder]) -> None:
    finish(run, 1, *STAGES)
    notes = Notes()
    for _ in range(2):
        with Study(run, notes) as study:
            for stage in STAGES:
                run_stage(study, run.round(1), stage)
    (order,) = orders
    assert [row.step for row in order.rows] == [1, 2, 3, 4]
    assert order.config["teach.method"] == "distill"
    assert order.config["seed"] == 0
    assert SECRET not in order.model_copy(update={"folder": Path()}).model_dump_json()
    assert len([said for said in notes.said if said.startswith("tracker:")]) == 1
    finish(run, 2, *STAGES)
    with Study(run) as study:
        run_stage(study, run.round(2), "verify")
    assert [row.step for row in orders[1].rows] == [5, 6, 7, 8]
    assert orders[1].run_id == order.run_id


def test_another_tracker_gets_all_and_none_gets_nothing(run: Run, orders: list[TrackOrder]) -> None:
    finish(run, 1, *STAGES)
    for track in ("trackio", "none", {"type": "trackio", "project": "other"}, "trackio"):
        run.adopt(Recipe.model_validate({**run.recipe.model_dump(), "track": track}))
        with Study(run) as study:
            run_stage(study, run.round(1), "verify")
    assert [(order.project, len(order.rows)) for order in orders] == [("selfstudy", 4), ("other", 4)]


def test_a_server_that_the_environment_names_later_gets_all(
    run: Run, orders: list[TrackOrder], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(run, 1, *STAGES)
    run.adopt(Recipe.model_validate({**run.recipe.model_dump(), "track": "mlflow"}))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for server in ("", "https://me:hidden-4711@one.example", "https://me:hidden-4711@one.example"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
        with Study(run) as study:
            run_stage(study, run.round(1), "verify")
    assert [(order.url, len(order.rows)) for order in orders] == [(None, 4), (server, 4)]
    assert "hidden" not in run.tracked_file.read_text()


def test_one_that_fails_is_told_of_once_and_asked_again_by_the_next_session(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[TrackOrder] = []

    def fails(order: TrackOrder, block: object) -> str:
        asked.append(order)
        raise OSError("no route to it")

    monkeypatch.setattr(sending, "send", fails)
    finish(run, 1, *STAGES)
    notes = Notes()
    with Study(run, notes) as study:
        for stage in STAGES:
            run_stage(study, run.round(1), stage)
    assert len(asked) == 1
    told = [said for said in notes.said if said.startswith("tracker:")]
    assert len(told) == 1
    assert "OSError: no route to it. The run goes on" in told[0]
    assert told[0].endswith(f"selfstudy learn {run.recipe_file} --run {run.path} --set track=none")
    with Study(run, notes) as study:
        run_stage(study, run.round(1), "verify")
    assert [row.step for row in asked[1].rows] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "account", ["{", '{"id": "../../a"}', '{"id": "x\' or true"}'], ids=["torn", "folder", "filter"]
)
def test_a_damaged_account_of_what_was_sent_stops_nothing(
    run: Run, orders: list[TrackOrder], account: str
) -> None:
    """The id in it becomes a part of names and of a filter, and others may have written it."""
    finish(run, 1, *STAGES)
    run.tracked_file.write_text(account, encoding="utf-8")
    notes = Notes()
    with Study(run, notes) as study:
        run_stage(study, run.round(1), "verify")
    assert not orders
    assert "tracked.json is damaged" in notes.said[-1]


def test_a_missing_package_is_refused_before_anything_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfstudy.tracking.access._installed", lambda name: False)
    with Study(run) as study, pytest.raises(RecipeError, match="needs the package 'trackio'"):
        study.learn()
    assert not run.smoke_file.exists()
    assert Run.open(run.path, write=False).recipe.track.type == "trackio"


KILLED = """
import os, signal, sys
from pathlib import Path
from selfstudy import Run, Study
from selfstudy.loop.stages import run_stage

write = Run.write_json
def killed(run, path, data, *more):
    if path == run.tracked_file and data["sent"]:
        os.kill(os.getpid(), signal.SIGKILL)
    write(run, path, data, *more)
Run.write_json = killed
with Run.open(Path(sys.argv[1])) as run, Study(run) as study:
    run_stage(study, run.round(1), "teach")
"""


def test_killed_between_sending_and_its_account_nothing_comes_twice(run: Run, tmp_path: Path) -> None:
    finish(run, 1, *STAGES[:3])
    run.close()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(run.path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert json.loads(run.tracked_file.read_text())["sent"] == {}
    assert len(kept("trackio", tmp_path / "trackio", run.tracker_folder)) == 8
    with Run.open(run.path) as again:
        finish(again, 1, "verify")
        with Study(again) as study:
            run_stage(study, again.round(1), "verify")
    found = kept("trackio", tmp_path / "trackio", run.tracker_folder)
    assert len({(step, name) for step, name, _ in found}) == len(found) > 8
    assert max(step for step, _, _ in found) == 4
    assert SECRET.encode() not in everything(tmp_path / "trackio")
    assert os.uname().nodename.encode() not in everything(tmp_path / "trackio")
