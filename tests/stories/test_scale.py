"""The same recipe with `scale`: whoever answers, and in whatever order, the run's records are the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run, Study
from selfstudy.models.base import HasWeights
from selfstudy.models.workers import Workers
from selfstudy.recipe import Recipe
from selfstudy.records import Answer, Failure, Question
from selfstudy.run.budget import Metered

from ..models.in_process import InProcess
from .small import recipe

pytestmark = pytest.mark.story

FEW = (
    "probe.ask.0.count=30",
    "probe.ask.1.count=4",
    "probe.ask.2.count=4",
    "probe.samples=3",
    "answering.block_size=16",
    "model.token_budget=1024",
)
SCALED = (*FEW, "scale={workers: 3}")


def asked(found: Recipe, folder: Path, workers: Workers | None) -> dict[str, bytes]:
    """Probed and gathered, by these workers: all files of the round, by name."""
    with Run.create_or_resume(folder, found) as run, Study(run) as study:
        if workers is not None:
            study.workers = workers
        study.probe()
        study.gather()
    return {path.name: path.read_bytes() for path in sorted((folder / "rounds").rglob("*.jsonl"))}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return asked(recipe(*FEW), tmp_path_factory.mktemp("scale") / "here", None)


def test_three_workers_in_any_order_give_the_same_bytes(here: dict[str, bytes], tmp_path: Path) -> None:
    workers = InProcess(3, shuffled=5)
    assert asked(recipe(*SCALED), tmp_path / "run", workers) == here
    assert workers.closed
    sizes = {method: [size for name, size in workers.asked if name == method] for method, _ in workers.asked}
    assert len(sizes["generate"]) > 10
    assert len(sizes["judge"]) > 10
