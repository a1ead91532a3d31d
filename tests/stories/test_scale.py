"""The same recipe with `scale`: whoever answers, in whatever order, the records are the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy import Run, Study
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.workers import Workers
from selfstudy.recipe import Recipe

from ..models.in_process import InProcess
from .small import recipe

pytestmark = pytest.mark.story

FEW = (
    "smoke=skip",
    "probe.ask.0.count=12",
    "probe.ask.1.count=2",
    "probe.ask.2.count=2",
    "probe.samples=2",
    "answering.block_size=8",
    "model.token_budget=512",
)
SCALED = (*FEW, "scale={workers: 3}")


def asked(found: Recipe, folder: Path, workers: Workers | None) -> dict[str, bytes]:
    """Probed and gathered, by these workers: all files of the round, by name."""
    with Run.create_or_resume(folder, found) as run, Study(run) as study:
        if workers is not None:
            study.workers = workers
        study.probe()
        study.gather()
        assert (vars(study).get("workers") is None) == (found.scale is None)  # none is started for this
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
    assert len(sizes["judge"]) > 5


def test_a_report_is_written_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it needs neither Ray nor a cluster, wherever the run has been brought."""

    def start(*given: object) -> None:
        raise AssertionError("workers are started")

    monkeypatch.setattr("selfstudy.models.scale.RayWorkers", start)
    monkeypatch.setattr("selfstudy.models.load_embedder", lambda block: LexicalEmbedder())
    found = recipe(*SCALED, "embedder.path=minilm")
    with Run.create_or_resume(tmp_path / "run", found) as run, Study(run) as study:
        study.report()
        assert run.report_file.is_file()


def test_two_workers_of_ray_too(here: dict[str, bytes], tmp_path: Path) -> None:
    """Each in a process of its own, with its own copies of the models; they end with the study."""
    pytest.importorskip("ray")
    found = recipe(*FEW, "scale={workers: 2, cpus: 0.5}")
    assert asked(found, tmp_path / "run", None) == here
