"""An adapter at a smaller strength: its folder and the model in memory agree, and 0 is the model itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from selfstudy.errors import ModelError
from selfstudy.models import lora
from selfstudy.models.base import chat
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.local.strength import Adjustable
from selfstudy.recipe import LocalModel

CHATS = [chat("Who is the mayor of Bern?"), chat("Name a river.")]
TEXTS = ["Alec von Graffenried", "the Aare"]


def block(folder: Path, adapter: Path | None = None) -> LocalModel:
    return LocalModel(path=str(folder), device="cpu", adapter=adapter)


def made(base: Path, folder: Path, seed: int, rank: int) -> Path:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    wrapped = get_peft_model(LocalLM(block(base)).model, LoraConfig(r=rank, target_modules="all-linear"))
    for name, matrix in wrapped.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(matrix, std=0.2)
    lora.save(wrapped, folder)
    return folder


def said(lm: LocalLM) -> list[list[float]]:
    return lm.logprobs(CHATS, TEXTS)


@pytest.fixture
def combined(tiny_llama: Path, tmp_path: Path) -> tuple[Path, Path]:
    """An adapter, and the same with another one after it."""
    first = made(tiny_llama, tmp_path / "first", 1, 3)
    lora.combine([first, made(tiny_llama, tmp_path / "second", 2, 2)], tmp_path / "both")
    return first, tmp_path / "both"


def test_only_the_newest_change_is_scaled(
    tiny_llama: Path, combined: tuple[Path, Path], tmp_path: Path
) -> None:
    first, both = combined
    assert (lora.rank(first), lora.rank(both)) == (3, 5)
    model = Adjustable(block(tiny_llama, both), whole=3)
    full = said(model.lm)
    for strength in (0.5, 0.25):
        folder = tmp_path / str(strength)
        folder.mkdir()
        lora.weaken(both, folder, strength, whole=3)
        before, after = (load_file(one / lora.WEIGHTS) for one in (both, folder))
        for name, matrix in before.items():
            part = matrix.clone()
            if "lora_B" in name:
                part[:, 3:] *= strength
            assert after[name].equal(part)
        model.set(strength)
        found = said(LocalLM(block(tiny_llama, folder)))
        for a, b in zip(said(model.lm), found, strict=True):
            assert a == pytest.approx(b, abs=1e-4)
    model.set(0)
    for a, b in zip(said(model.lm), said(LocalLM(block(tiny_llama, first))), strict=True):
        assert a == pytest.approx(b, abs=1e-4)
    model.set(1)
    assert said(model.lm) == full


def test_at_nothing_it_is_the_model_to_the_bit(tiny_llama: Path, tmp_path: Path) -> None:
    model = Adjustable(block(tiny_llama, made(tiny_llama, tmp_path / "one", 1, 3)))
    base = said(LocalLM(block(tiny_llama)))
    assert said(model.lm) != base
    model.set(0)
    assert said(model.lm) == base


def test_a_weaker_folder_says_what_it_was_made_from(combined: tuple[Path, Path], tmp_path: Path) -> None:
    _, both = combined
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        lora.weaken(both, tmp_path / name, 0.75, whole=3)
    files = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert files[0] == files[1]
    lineage = json.loads(files[0][lora.LINEAGE])
    assert (lineage["strength"], lineage["ranks_at_full_strength"]) == (0.75, 3)
    assert len(lineage["of_sha256"]) == 64


def test_what_is_no_plain_adapter_is_not_made_weaker(combined: tuple[Path, Path], tmp_path: Path) -> None:
    _, both = combined
    config = json.loads((both / lora.CONFIG).read_text(encoding="utf-8"))
    (both / lora.CONFIG).write_text(json.dumps(config | {"use_dora": True}), encoding="utf-8")
    with pytest.raises(ModelError, match="no plain LoRA adapter"):
        lora.weaken(both, tmp_path, 0.5)
