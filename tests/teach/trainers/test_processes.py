"""Several processes train as one would: the same answers, the same curve."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.models import load_lm
from selfstudy.recipe import LocalModel
from selfstudy.teach.trainers import fast_lora
from selfstudy.teach.trainers.processes import Processes, join

from ..test_stage import Listener
from .policies import LORA, practice, train, trained_weights
from .small import setting

torch.set_num_threads(1)


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(1, 4))
def test_each_item_falls_to_one_and_equal_ones_to_the_same(items: list[int], count: int) -> None:
    places = list(enumerate(items))
    shares = [Processes(rank, count).share(places, lambda one: one[1]) for rank in range(count)]
    assert sorted(one for share in shares for one in share) == places
    for share, other in ((a, b) for a in shares for b in shares if a is not b):
        assert not {one for _, one in share} & {one for _, one in other}
    sizes = [len({one for _, one in share}) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_one_that_is_alone_exchanges_nothing() -> None:
    alone = join(torch.device("cpu"))
    assert alone == Processes()
    assert alone.is_main
    assert alone.gathered("a") == ["a"]
    assert alone.together([1, 2]) == [1, 2]
    parameter = torch.nn.Parameter(torch.ones(2))
    alone.add_gradients([parameter])
    assert parameter.grad is None
    alone.wait()
    alone.require_same(3, "anything")


def in_a_process(model: str, kind: str, folder: str, full: bool) -> None:
    """What `accelerate launch`, or torchrun where there is no accelerator, starts several times."""
    rank = int(os.environ.get("RANK", "0"))
    listener = Listener()
    how = setting(phase=kind, lora=None if full else LORA, checkpoints=Path(folder) / "checkpoints")
    found = train(kind, load_lm(LocalModel(path=model)), practice(dev=3), listener, how, **CHANGES)
    told: dict[str, Any] = {
        "steps": [one.model_dump(mode="json") for one in found.steps],
        "weights": trained_weights(found).tolist(),
        "notes": listener.notes,
    }
    (Path(folder) / f"{rank}.json").write_text(json.dumps(told), "utf-8")


CHANGES: dict[str, Any] = {"steps": 4, "batch_size": 5, "learning_rate": 1e-3, "checkpoint_every": 2}
"""Five of three questions: some are asked twice in a step."""


def child(rank: int, count: int, port: int, *arguments: Any) -> None:
    """One of several, with what a launcher tells it."""
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1"}
    os.environ.update({name: str(value) for name, value in (told | {"MASTER_PORT": port}).items()})
    fast_lora.compute_dtype = lambda: torch.float32
    in_a_process(*arguments)


def launched(count: int, *arguments: Any) -> None:
    """Starts so many processes, as `accelerate launch` or torchrun would, and waits for them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # children need not import torch again
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [context.Process(target=child, args=(rank, count, port, *arguments)) for rank in range(count)]
    for one in children:
        one.start()
    for one in children:
        one.join(200)
    assert [one.exitcode for one in children] == [0] * count


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "full"), [("ppo", False), ("grpo", False), ("grpo", True)])
def test_two_processes_train_as_one_does(kind: str, full: bool, citing: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    in_a_process(str(citing), kind, str(one), full)
    launched(2, str(citing), kind, str(two), full)
    (alone,), both = (
        [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("?.json"))]
        for folder in (one, two)
    )
    assert len(both) == 2
    assert both[0]["steps"] == both[1]["steps"]
    assert both[0]["weights"] == both[1]["weights"]
    assert any("2 processes" in note for note in both[0]["notes"])
    assert not both[1]["notes"]  # one reports
    assert [step["step"] for step in alone["steps"]] == [1, 2, 3, 4]
    for mine, theirs in zip(alone["steps"], both[0]["steps"], strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], abs=1e-3)
        assert theirs["metrics"] == pytest.approx(mine["metrics"], rel=5e-3, abs=1e-3)
    assert both[0]["weights"] == pytest.approx(alone["weights"], abs=1e-3)
    launched(2, str(citing), kind, str(two), full)  # again: from the checkpoint that the first has written
    again = json.loads((two / "0.json").read_text("utf-8"))
    assert any("goes on after step 4" in note for note in again["notes"])
    assert (again["steps"], again["weights"]) == (both[0]["steps"], both[0]["weights"])
