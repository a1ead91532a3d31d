"""Whether there is memory to train all weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.loop import Study
from selfstudy.models import load_lm
from selfstudy.recipe import (
    GRPOBlock,
    LocalModel,
    OnlineDPOBlock,
    PPOBlock,
    Recipe,
    RejectionBlock,
    TeachBlock,
)
from selfstudy.records import STAGES, Question
from selfstudy.run import Run
from selfstudy.teach.trainers import memory

FULL = TeachBlock(finetuning="full")
ONLINE = TeachBlock(finetuning="full", phases=[OnlineDPOBlock()])
GRPO = TeachBlock(finetuning="full", phases=[GRPOBlock()])
PPO = TeachBlock(finetuning="full", phases=[PPOBlock()])
BOTH = TeachBlock(finetuning="full", phases=[PPOBlock(), GRPOBlock()])
SAMPLED = TeachBlock(finetuning="full", phases=[RejectionBlock()])
TWICE = TeachBlock(finetuning="full", phases=[OnlineDPOBlock(), OnlineDPOBlock()])


def numbers(lm: Any) -> int:
    return sum(one.numel() for one in lm.model.parameters())


def free(monkeypatch: pytest.MonkeyPatch, memory_: int, disk: int) -> None:
    monkeypatch.setattr("selfstudy.models.local.loading.unused_memory", lambda device: memory_)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=disk))


def test_what_is_free_has_to_be_enough_for_all_weights(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    count = numbers(lm)
    for teach, memory_, disk in (
        (FULL, 16, 4),
        (ONLINE, 44, 24),
        (TWICE, 44, 36),
        # a copy for the reference, the best weights beside, and a checkpoint that is written twice
        (GRPO, 16 + 4 + 24 + 4, 2 * (12 + 4)),
        # the value network is as large as the policy
        (PPO, 2 * 16 + 4 + 48 + 4, 2 * (24 + 4)),
        (BOTH, 2 * 16 + 4 + 48 + 4, (24 + 4) + (12 + 4) + (24 + 4)),
        (SAMPLED, 16, 4),
    ):
        free(monkeypatch, memory_ * count, disk * count)
        memory.require_room(lm, teach, tmp_path)
        free(monkeypatch, memory_ * count - 1, disk * count)
        with pytest.raises(ModelError, match="are free on cpu"):
            memory.require_room(lm, teach, tmp_path)
        free(monkeypatch, memory_ * count, disk * count - 1)
        with pytest.raises(ModelError, match="are free at") as caught:
            memory.require_room(lm, teach, tmp_path)
        assert "make room there" in caught.value.hint
    free(monkeypatch, 44 * count, 36 * count - 1)
    (tmp_path / "checkpoint").write_bytes(b"1")  # of the training that goes on
    memory.require_room(lm, TWICE, tmp_path)


def test_a_checkpoint_takes_memory_of_the_machine_and_not_of_its_accelerator(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    count = numbers(lm)
    free(monkeypatch, 0, 100 * count)
    there = {"meta": 20 * count, "cpu": 24 * count}
    monkeypatch.setattr("selfstudy.models.local.loading.unused_memory", lambda device: there[device.type])
    lm.model.to("meta")
    memory.require_room(lm, ONLINE, tmp_path)
    for where in there:
        there[where] -= 1
        with pytest.raises(ModelError, match=f"are free on {where}"):
            memory.require_room(lm, ONLINE, tmp_path)
        there[where] += 1


def test_it_is_told_before_the_model_is_loaded(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LocalModel(path=str(tiny_llama))
    count = numbers(load_lm(model))
    here = tmp_path / "run"
    free(monkeypatch, 16 * count, 12 * count)  # its own, the control's, and the copy of one of them
    assert memory.require_room_ahead(model, FULL, here, control=True)
    assert not memory.require_room_ahead(LocalModel(path="nobody/nothing"), FULL, here, control=True)
    free(monkeypatch, 16 * count, 12 * count - 1)
    assert memory.require_room_ahead(model, FULL, here, control=False)
    with pytest.raises(ModelError, match=f"are free at {tmp_path}"):
        memory.require_room_ahead(model, FULL, here, control=True)


def test_a_run_is_refused_before_its_probe_and_not_after(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(model=LocalModel(path=str(tiny_llama)), teach=FULL, library="atlas", rounds=1)
    free(monkeypatch, 10**3, 10**12)
    with Run.create_or_resume(tmp_path / "run", recipe) as run, Study(run) as study:
        with pytest.raises(ModelError, match="training all"):
            study.learn()
        round_ = run.round(1)
        assert not round_.read(Question)
        for stage in STAGES:
            round_.finish(stage)
        study.learn()


def test_several_processes_take_more_of_one_machine_and_less_where_weights_are_divided(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU all share its memory; on cards each has its own, and what it trains is a part."""
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    count = numbers(lm)
    told = {"WORLD_SIZE": "4", "RANK": "0", "LOCAL_WORLD_SIZE": "2"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    free(monkeypatch, 32 * count, 4 * count)
    memory.require_room(lm, FULL, tmp_path)
    free(monkeypatch, 32 * count - 1, 4 * count)
    with pytest.raises(ModelError, match="in 4 processes takes"):
        memory.require_room(lm, FULL, tmp_path)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    free(monkeypatch, 2 * (4 + 4) * count, 4 * count)  # of its own 4 bytes, and a fourth of 16
    memory.require_room(lm, FULL, tmp_path)
