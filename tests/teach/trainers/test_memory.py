"""Whether there is memory to train all weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.loop import Study
from selfstudy.models import load_lm
from selfstudy.recipe import LocalModel, OnlineDPOBlock, Recipe, TeachBlock
from selfstudy.records import Question
from selfstudy.run import Run
from selfstudy.teach.trainers import memory

FULL = TeachBlock(finetuning="full")
ONLINE = TeachBlock(finetuning="full", phases=[OnlineDPOBlock()])


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
    free(monkeypatch, 16 * count, 4 * count)
    memory.require_room(lm, FULL, tmp_path)
    with pytest.raises(ModelError, match=r"training all.* free on cpu"):
        memory.require_room(lm, ONLINE, tmp_path)
    free(monkeypatch, 44 * count, 28 * count)
    memory.require_room(lm, ONLINE, tmp_path)
    free(monkeypatch, 44 * count, 28 * count - 1)
    with pytest.raises(ModelError, match="free on the disk of"):
        memory.require_room(lm, ONLINE, tmp_path)


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
    there["cpu"] -= 1
    with pytest.raises(ModelError, match="free in this machine"):
        memory.require_room(lm, ONLINE, tmp_path)


def test_it_is_told_before_the_model_is_loaded(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LocalModel(path=str(tiny_llama))
    count = numbers(load_lm(model))
    recipe = Recipe(model=model, teach=FULL)
    free(monkeypatch, 16 * count, 4 * count)
    memory.require_room_ahead(recipe, tmp_path)
    free(monkeypatch, 16 * count - 1, 4 * count)
    with pytest.raises(ModelError, match="training all"):
        memory.require_room_ahead(recipe, tmp_path)
    memory.require_room_ahead(Recipe(model=model), tmp_path)  # an adapter is small
    study = Study(Run.create_or_resume(tmp_path / "run", recipe))
    with pytest.raises(ModelError, match="training all"):
        study.learn()
    assert not study.run.round(1).read(Question)
