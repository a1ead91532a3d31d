"""A demo small enough to be told in tens of seconds, and what the stories share."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from selfstudy import Run
from selfstudy.cli import app
from selfstudy.progress import Silent
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import load_recipe
from selfstudy.records import (
    Answer,
    Evidence,
    Failure,
    Proposal,
    Question,
    Record,
    Reference,
    Score,
    Verdict,
)

ROOT = Path(__file__).parents[2]
DEMO = Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))
KILL: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks/kill.py"))
"""The benchmark's functions: `files` of a run, `differences` between two."""

SMALL = (
    f"model.path={os.environ.get('SELFSTUDY_STORY_MODEL', 'atlas')}",
    "probe.ask.0.count=56",
    "probe.ask.1.count=6",
    "probe.ask.2.count=6",
    "probe.samples=4",
    "teach.wordings=1",
    "teach.sft.epochs=4",
    "teach.sft.learning_rate=0.004",
    "teach.sft.replay=0.5",
    "verify.samples=4",
)
"""Overrides of the demo. SELFSTUDY_STORY_MODEL tells the stories of another model than the packaged one."""

TINY = (
    "probe.ask.0.count=12",
    "probe.ask.1.count=1",
    "probe.ask.2.count=1",
    "answering.block_size=5",
    "probe.samples=2",
    "teach.wordings=1",
    "teach.sft.epochs=1",
    "verify.samples=2",
    "verify.repeats=0",
)
"""More overrides, for a story that goes through every stage several times."""

QUICK = (
    "teach.wordings=0",
    "teach.heldout_wordings=0",
    "verify.max_questions=20",
    "verify.samples=2",
    "verify.repeats=0",
)
"""More overrides, for a story in which only something else matters."""

OF_PROBE: tuple[type[Record], ...] = (Proposal, Question, Answer, Score)
OF_GATHER: tuple[type[Record], ...] = (Evidence, Reference, Verdict)


class Listener(Silent):
    """Keeps what a person would have been told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def recipe(*changes: str) -> Recipe:
    return load_recipe(DEMO, [*SMALL, *changes])


def sets(*changes: str) -> list[str]:
    """The same recipe for the command line."""
    return [part for change in (*SMALL, *changes) for part in ("--set", change)]


def branch(source: Path, target: Path, recipe: Recipe, stages: Sequence[str] = ("probe", "gather")) -> Path:
    """A run of another recipe that begins with what `source` has found: probing takes longest."""
    with Run.open(source, write=False) as old, Run.create_or_resume(target, recipe) as new:
        for stage in stages:
            for kind in OF_PROBE if stage == "probe" else OF_GATHER:
                new.round(1).append(old.round(1).iter(kind))
            new.round(1).append(f for f in old.round(1).iter(Failure) if f.stage == stage)
            new.round(1).finish(stage)
    if "gather" in stages:
        shutil.copytree(source / "library", target / "library")
    return target


def cli(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command line, run in this process."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


def shell(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    """The same in a process of its own, which says on its last line whether torch was imported."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        "from selfstudy.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def refusal(result: tuple[int, str, str]) -> str:
    """What a person reads who has to fix something: one screen, exit code 2, no traceback."""
    code, _, said = result
    assert code == 2, said
    assert "Traceback" not in said
    assert "error: " in said
    message = said[said.index("error: ") :]
    assert len(message.splitlines()) < 24
    assert "-> " in message  # what to do next
    return message
