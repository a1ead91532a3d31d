"""Which workers find room, and the words for what nodes have and how workers are lost."""

from __future__ import annotations

from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.models.cluster_nodes import have, must_fit_here, need, reason, room, unfit
from selfstudy.recipe.scale import ScaleBlock
from selfstudy.version import __version__


def node(cpus: float, gpus: float = 0, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}}


@pytest.mark.parametrize(
    ("nodes", "block", "fit"),
    [
        ([node(4)], {}, 4),
        ([node(3), node(3)], {"cpus": 2}, 2),  # what is left of two nodes makes no worker
        ([node(3), node(3, alive=False)], {}, 3),
        ([node(1)], {"cpus": 0.1}, 10),
        ([node(8)], {"gpus": 1}, 0),
        ([node(8, 2)], {"gpus": 1}, 2),
        ([node(8, 2)], {"gpus": 0.4}, 4),  # a card holds two, and no worker lies on two of them
        ([node(8, 3)], {"gpus": 2}, 1),
        ([], {}, 0),
    ],
)
def test_room(nodes: list[dict[str, Any]], block: dict[str, float], fit: int) -> None:
    assert room(nodes, ScaleBlock(**block)) == fit  # type: ignore[arg-type]


def test_words_for_what_is_needed_and_there() -> None:
    assert need(ScaleBlock(cpus=1, gpus=0.5)) == "1 CPU and 0.5 GPUs"
    assert have([node(2), node(2, 1), node(9, alive=False)]) == "it has 2 nodes with 4 CPUs and 1 GPU"


def test_what_a_node_lacks_is_said_with_its_name() -> None:
    hello = {"version": __version__, "error": ""}
    assert unfit("a (10.0.0.1)", hello) == ""
    assert unfit("a (10.0.0.1)", hello | {"version": "0.1", "error": "which follows from it"}) == (
        f"the node a (10.0.0.1) has selfstudy 0.1, this machine {__version__}"
    )
    missing = unfit(
        "a (10.0.0.1)", {"version": "", "error": "ModuleNotFoundError: No module named 'selfstudy'"}
    )
    assert "a (10.0.0.1)" in missing
    assert "No module named 'selfstudy'" in missing


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("The actor is dead because its node has died. Node Id: 12", "its node is gone"),
        (
            "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR (1) the "
            "process was killed by the OOM killer",
            "its process ended: killed, crashed, or out of memory",
        ),
        ("Task was killed due to the node running low on memory.", "its node ran out of memory"),
        ("something\n  else \x1b[31m", "something else"),
    ],
)
def test_reasons(said: str, told: str) -> None:
    assert reason(said) == told


def test_no_more_are_started_here_than_there_is_memory_for() -> None:
    must_fit_here(ScaleBlock(workers=4))
    with pytest.raises(ModelError, match=r"scale\.workers: 9,999,999 are more than"):
        must_fit_here(ScaleBlock(workers=9_999_999, cpus=0.001))
