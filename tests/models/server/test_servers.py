"""Who owns engines: how many stand at once, which make room, and that all are gone in the end."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from selfstudy.errors import ModelError
from selfstudy.loop import Study
from selfstudy.models.server.lm import ServerLM
from selfstudy.models.server.servers import Servers
from selfstudy.recipe import GatherBlock, LocalModel, ModelBlock, ProbeBlock, Recipe, ServerModel
from selfstudy.run import Run
from selfstudy.run.models import servers_for
from selfstudy.verbs.importing.file import import_file

from .engine import gone, noted, said


def pids(workshop: Path) -> list[int]:
    return [start["pid"] for start in noted(workshop, "starts")]


def test_as_many_stand_as_the_limit_says(workshop: Path, model: Callable[..., ServerModel]) -> None:
    told: list[str] = []
    with Servers(2, told.append) as servers:
        one, two, three = (ServerLM(model(name), servers) for name in ("one", "two", "three"))
        for lm in (one, two, one, two, one):
            said(lm)
        assert len(pids(workshop)) == 2
        said(three)  # two was not asked for longest
        first, second, third = pids(workshop)
        assert gone(second)
        assert psutil.pid_exists(first)
        assert said(one).endswith("one.")
        assert len(pids(workshop)) == 3
        assert any(note.startswith("stopping vllm:") and note.endswith("two, to make room") for note in told)
    assert gone(first)
    assert gone(third)


def test_one_that_does_not_start_beside_others_is_given_room(
    workshop: Path, model: Callable[..., ServerModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_ALONE", "1")  # so much memory there is
    told: list[str] = []
    with Servers(3, told.append) as servers:
        one, two = ServerLM(model("one"), servers), ServerLM(model("two"), servers)
        assert said(one).endswith("one.")
        assert said(two).endswith("two.")
        assert gone(pids(workshop)[0])
        assert any("does not start beside 1 more: CUDA error: out of memory" in note for note in told)
        said(one)
        assert len(pids(workshop)) == 4  # it is not tried a second time


def test_one_that_never_starts_says_why(
    workshop: Path, model: Callable[..., ServerModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Servers(2) as servers:
        said(ServerLM(model("one"), servers))
        monkeypatch.setenv("FAKE_ENDS", "1")
        with pytest.raises(ModelError, match="ended before it answered"):
            said(ServerLM(model("two"), servers))


def test_the_same_port_is_given_from_one_to_the_next(
    workshop: Path, model: Callable[..., ServerModel]
) -> None:
    from selfstudy.models.server.process import reserve_port

    port, keeper = reserve_port()
    keeper.close()
    with Servers(2) as servers:
        assert said(ServerLM(model("one", port=port), servers)).endswith("one.")
        assert said(ServerLM(model("two", port=port), servers)).endswith("two.")
    assert all(gone(pid) for pid in pids(workshop))


def test_only_the_engines_of_some_weights_are_ended(
    workshop: Path, model: Callable[..., ServerModel]
) -> None:
    with Servers(3) as servers:
        student, judge = ServerLM(model("student"), servers), ServerLM(model("judge"), servers)
        said(student)
        said(judge)
        servers.stop(model("student").model)
        first, second = pids(workshop)
        assert gone(first)
        assert psutil.pid_exists(second)
        assert said(judge).endswith("judge.")
        assert len(pids(workshop)) == 2


def test_engines_end_with_the_last_model_that_could_ask_them(
    workshop: Path, model: Callable[..., ServerModel]
) -> None:
    lm = ServerLM(model())
    said(lm)
    del lm
    gc.collect()
    assert gone(pids(workshop)[0])


def test_a_forked_child_ends_nothing(workshop: Path, model: Callable[..., ServerModel]) -> None:
    with Servers() as servers:
        said(ServerLM(model(), servers))
        child = os.fork()
        if child == 0:
            try:
                servers.close()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert psutil.pid_exists(pids(workshop)[0])
        said(ServerLM(model(), servers))
        assert len(pids(workshop)) == 1


@pytest.mark.parametrize(
    ("recipe", "limit"),
    [
        (Recipe(), 1),
        (Recipe(model=ServerModel(engine="vllm", model="a")), 1),
        (Recipe(model=ServerModel(engine="vllm", model="a"), judge=ServerModel(engine="vllm", model="b")), 2),
        (
            Recipe(
                model=LocalModel(path="a"),
                teacher=ServerModel(engine="vllm", model="b"),
                probe=ProbeBlock(model=ServerModel(engine="vllm", model="a")),
                gather=GatherBlock(reader=ServerModel(engine="vllm", model="c")),
            ),
            3,
        ),
        (
            Recipe(
                model=ServerModel(engine="vllm", model="a"),
                judge=ServerModel(engine="vllm", model="b", url="http://127.0.0.1:1"),
            ),
            1,
        ),
        (
            Recipe(
                servers=1,
                model=ServerModel(engine="vllm", model="a"),
                judge=ServerModel(engine="vllm", model="b"),
            ),
            1,
        ),
    ],
)
def test_the_limit_is_what_the_recipe_names(recipe: Recipe, limit: int) -> None:
    assert servers_for(recipe, print).limit == limit


@pytest.mark.parametrize("served", [False, True])
def test_a_served_judge_survives_teaching(
    served: bool, workshop: Path, model: Callable[..., ServerModel], tiny_llama: Path, tmp_path: Path
) -> None:
    student: ModelBlock = LocalModel(path=str(tiny_llama))
    if served:
        student = ServerModel(engine="vllm", model=str(tiny_llama), startup_seconds=120)
    rows = [{"question": f"Capital of {name}?", "answer": name[::-1]} for name in ("Peru", "Chile", "Ghana")]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes = [
        f"{key}={value}"
        for key, value in {
            "model": student.model_dump_json(),
            "judge": model("judge").model_dump_json(),
            "teach.lora.r": 4,
            "teach.sft.epochs": 1,
        }.items()
    ]
    import_file(tmp_path / "qa.jsonl", tmp_path / "run", None, changes)
    with Run.open(tmp_path / "run") as run, Study(run) as study:
        assert study.judge is not None
        if served:
            said(study.lm(None))
        assert said(study.judge).endswith("judge.")
        *others, judge = pids(workshop)
        study.teach()
        assert all(gone(pid) for pid in others)
        assert psutil.pid_exists(judge)
        assert said(study.judge).endswith("judge.")
        if served:
            assert said(study.lm(None)).startswith("I am")
        assert psutil.pid_exists(judge)
        assert pids(workshop).count(judge) == 1
        assert len(pids(workshop)) == (3 if served else 1)
    assert all(gone(pid) for pid in pids(workshop))
