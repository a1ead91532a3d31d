"""Sends the curves and figures of a run to its tracker (recipe `track`): when teach or verify has finished.

What was sent stands in tracked.json, written when the tracker has it.  A kill in between loses nothing and
doubles nothing: the same rows come at the same steps, and those that the tracker has are left out
(tracking/).  A stage that was done again is sent again, further on.

A tracker that fails is told of once a session, and never stops a run.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.errors import SelfstudyError
from selfstudy.files import private
from selfstudy.records import TrainingStep
from selfstudy.tracking import access
from selfstudy.tracking.order import TrackedRow, TrackOrder

if TYPE_CHECKING:
    from selfstudy.loop.resources import Resources
    from selfstudy.recipe import TrackBlock
    from selfstudy.run import Round, Run

MOST_STEPS = 2_000
"""Of a longer curve every second step is sent, or every third, and so on."""


class TrackedRun(BaseModel):
    """What of a run was sent to one tracker and project.

    Attributes:
        stages: a hash of what each stage had written when it was sent, by "round/stage".
        step: of the last row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    stages: dict[str, str] = {}
    step: Annotated[int, Field(ge=0)] = 0


class Tracked(BaseModel):
    """tracked.json.

    Attributes:
        id: by which every tracker knows the run; drawn, so that it says nothing.
        sent: by tracker, project and address.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    sent: dict[str, TrackedRun] = {}


def require(resources: Resources) -> None:
    """Refuses, before a model is loaded, a tracker that cannot be used.

    Raises:
        SelfstudyError: which, and what to do.
    """
    if not resources.run.is_shard:
        access.require(resources.recipe.track)


def send(resources: Resources) -> None:
    """Sends what has finished and was not sent; a failure is told, and is the last of this session."""
    run, block = resources.run, resources.recipe.track
    if block.type == "none" or run.is_shard or resources.untracked:
        return
    try:
        where = _send(run, block)
    except SelfstudyError as error:
        _give_up(resources, error.what, error.hint)
    except Exception as error:  # whatever it is, hours of work must not end for it
        _give_up(resources, f"{type(error).__name__}: {error}", "give the same command again")
    else:
        if where and not resources.tracked_told:
            resources.tracked_told = True
            resources.reporter.note(f"tracker: curves and figures go to {access.described(block)}; {where}")


def _give_up(resources: Resources, what: str, hint: str) -> None:
    resources.untracked = True
    run = resources.run
    learn = ["selfstudy", "learn", str(run.recipe_file), "--run", str(run.path), "--set", "track=none"]
    without = shlex.join(learn)
    resources.reporter.note(f"tracker: {what}. The run goes on\n  -> {hint}; to go on without: {without}")


def _send(run: Run, block: TrackBlock) -> str:
    """Where it can be looked at; empty: there was nothing to send."""
    from selfstudy.tracking import sending

    kept = run.read_as(run.tracked_file, Tracked)
    if kept is None:
        kept = Tracked(id=secrets.token_hex(8))
        run.write_json(run.tracked_file, kept.model_dump(mode="json"))
    place = " ".join((block.type, block.project, access.address(block)))
    before = kept.sent.get(place, TrackedRun())
    rows, stages = new_rows(run, before)
    if not rows:
        return ""
    where = sending.send(order_of(run, block, kept.id, rows), block)
    after = TrackedRun(stages={**before.stages, **stages}, step=rows[-1].step)
    kept = kept.model_copy(update={"sent": {**kept.sent, place: after}})
    run.write_json(run.tracked_file, kept.model_dump(mode="json"))
    return where


def order_of(run: Run, block: TrackBlock, id_: str, rows: tuple[TrackedRow, ...]) -> TrackOrder:
    """What is sent of a run by its recipe's block; one without a tracker has none."""
    from selfstudy.recipe.file import recipe_digest
    from selfstudy.recipe.settings import plain_settings

    if block.type == "none":
        raise ValueError("there is no tracker")
    url = access.server_of(block)
    return TrackOrder(
        tracker=block.type,
        project=block.project,
        run_id=id_,
        name=f"{block.name or 'selfstudy'}-{id_[:6]}",
        url=url,
        offline=block.type == "wandb" and url is None,
        folder=run.tracker_folder,
        config={"recipe": recipe_digest(run.recipe), **plain_settings(run.recipe)},
        rows=rows,
    )


def new_rows(run: Run, before: TrackedRun) -> tuple[tuple[TrackedRow, ...], dict[str, str]]:
    """What was not sent: its rows in order, and what is to be remembered once they are sent."""
    rows: list[TrackedRow] = []
    stages: dict[str, str] = {}
    step = before.step
    for part in run.rounds:
        for stage in TRACKED:
            mark = _mark(part, stage) if part.finished(stage) else None
            name = f"{part.number}/{stage}"
            if mark is None or before.stages.get(name) == mark:
                continue
            stages[name] = mark
            for further, numbers in curves(part) if stage == "teach" else figures(part):
                rows.append(TrackedRow(step=step + further, numbers=numbers))
            step = rows[-1].step if rows else step
    return tuple(rows), stages


def _mark(part: Round, stage: str) -> str | None:
    """A hash of what the stage wrote last; None: it wrote nothing."""
    file = part.path / TrainingStep.file if stage == "teach" else part.gate_file
    try:
        with os.fdopen(private.open_file(file, os.O_RDONLY), "rb") as written:  # a long curve is of any size
            return hashlib.file_digest(written, "sha256").hexdigest()[:16]
    except FileNotFoundError:
        return None


def curves(part: Round) -> list[tuple[int, dict[str, float]]]:
    """The steps of a round's training, from 1: phases one after the other, arms beside each other.

    A group of `deploy: dynamic` may be called like a folder or a host: it is sent as its number.
    """
    found: dict[int, dict[str, float]] = {}
    begin: dict[str, int] = {}
    last: dict[str, int] = {}
    groups: dict[str, int] = {}
    phase: dict[str, str] = {}
    for one in part.iter(TrainingStep):
        if phase.get(one.arm) != one.phase:
            phase[one.arm], begin[one.arm] = one.phase, last.get(one.arm, 0)
        last[one.arm] = begin[one.arm] + one.step
        group, _, called = one.phase.rpartition("/")
        inside = f"adapter-{groups.setdefault(group, len(groups) + 1)}/" if group else ""
        row = found.setdefault(last[one.arm], {})
        for name, value in {"loss": one.loss, **one.metrics}.items():
            if math.isfinite(value):
                row[f"train/{one.arm}/{inside}{_word(called)}/{_word(name)}"] = value
    every = math.ceil(len(found) / MOST_STEPS) or 1
    return [(step, found[step]) for step in sorted(found)[::every] if found[step]]


def figures(part: Round) -> Iterator[tuple[int, dict[str, float]]]:
    """The figures of a round, one step further."""
    from selfstudy.summary.numbers import round_numbers

    yield 1, round_numbers(part)


def _word(name: str) -> str:
    """A name as every tracker takes it."""
    return re.sub(r"[^A-Za-z0-9_.\-]+", "_", name)[:80]


TRACKED = ("teach", "verify")
"""The stages whose end is told to a tracker."""
