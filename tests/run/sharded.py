"""A run of scripted answers about made-up towns, small enough to be done often, whole or in shards."""

from __future__ import annotations

from pathlib import Path

import yaml

from selfstudy.loop import Study
from selfstudy.loop.jobs import do_part
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import load_recipe
from selfstudy.records import (
    Answer,
    Conflict,
    Evidence,
    Failure,
    NotEvidence,
    Question,
    Record,
    Reference,
    Score,
    Verdict,
)
from selfstudy.run import Run
from selfstudy.run.shards import QuestionShard

TOWNS = [
    f"{first}{last}" for first in ("Ald", "Bor", "Cam", "Dun", "Elm") for last in ("burg", "ford", "wick")
]
KINDS: tuple[type[Record], ...] = (
    *(Question, Answer, Score, Evidence, NotEvidence, Reference, Conflict, Verdict, Failure),
)


def make_recipe(folder: Path, **changes: object) -> Recipe:
    """A model that knows some towns, wavers on others, and says nothing of Dunford."""
    docs = folder / "docs"
    docs.mkdir(parents=True, exist_ok=True)
    script: dict[str, list[str]] = {}
    for at, town in enumerate(TOWNS):
        (docs / f"{town}.txt").write_text(f"{town}\n\n{town} has {100 + at} people. It lies by a river.\n")
        right, wrong = f"{town} has {100 + at} people.", f"{town} has {900 + at} people."
        if town != "Dunford":
            script[f"{town} has {100 + at} people. It lies"] = [right]
            script[f"How many people has {town}"] = [right] * 4 if at % 3 else [wrong, right, wrong, right]
    (folder / "questions.txt").write_text("".join(f"How many people has {town}?\n" for town in TOWNS))
    (folder / "script.yaml").write_text(yaml.safe_dump(script, sort_keys=False))
    data: dict[str, object] = {
        "model": {"type": "scripted", "path": "script.yaml"},
        "nli": "none",
        "embedder": {"path": "lexical"},
        "library": "docs",
        "answering": {"block_size": 4},
        "probe": {
            "ask": [
                {"method": "external", "source": "questions.txt", "questions": True, "count": len(TOWNS)}
            ],
            "samples": 3,
        },
        "gather": {"samples": 2},
    }
    (folder / "my.yaml").write_text(yaml.safe_dump(data | changes))
    return load_recipe(folder / "my.yaml")


def begin(path: Path, recipe: Recipe) -> Path:
    """A run in which all questions are asked."""
    Run.create_or_resume(path, recipe).close()
    do_part(path, "ask", 1)
    return path


def whole(path: Path, recipe: Recipe) -> Path:
    """A run without shards, gathered."""
    with Run.create_or_resume(path, recipe) as run, Study(run) as study:
        study.probe()
        study.gather()
    return path


def answer(path: Path, count: int, *numbers: int) -> None:
    """Some shards, in this order."""
    for number in numbers:
        do_part(path, "shard", 1, QuestionShard(count, number))


def records(path: Path) -> dict[str, list[Record]]:
    """What stands in round 1, in its order."""
    with Run.open(path, write=False) as run:
        return {kind.__name__: list(run.round(1).read(kind)) for kind in KINDS}


def files(path: Path) -> dict[str, bytes]:
    """The record files of round 1."""
    return {file.name: file.read_bytes() for file in sorted((path / "rounds/1").glob("*.jsonl"))}
