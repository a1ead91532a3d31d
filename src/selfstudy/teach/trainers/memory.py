"""What a training takes of memory and disk, and whether it is free.  Knows not what is learned."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import ModelError
from selfstudy.models.base import HasWeights
from selfstudy.models.local import four_bit, loading, pretrained
from selfstudy.recipe import LocalModel, OnlineDPOBlock, PolicyBlock, PPOBlock
from selfstudy.teach.launch import launch

if TYPE_CHECKING:
    import torch

    from selfstudy.recipe import ModelBlock, TeachBlock

WEIGHT = 4
"""Bytes of a weight that is trained, as it is computed with and as it is written: float32."""
FULL = 4 * WEIGHT
"""Of a weight where it is trained: itself, its gradient and the two moments of AdamW."""
CHECKPOINT = 3 * WEIGHT
"""Of a weight on the disk, in an online phase: itself and its moments.  Twice that in memory to write it."""
KEPT = 3 * 10**9
"""Most bytes that a model on the CPU may keep of a forward pass for its gradient."""


def has_room(lm: HasWeights, *, full: bool = False) -> bool:
    """Whether the memory is free to train: twice that of a converted copy, or what all weights take."""
    device = lm.model.device
    if full:
        return bool(loading.unused_memory(device) >= FULL * _size(lm))
    held = four_bit.is_held(lm.model)  # and not converted
    smallest = 1 if held else 2 if loading.has_bfloat16(device) else 4
    copy = sum(one.numel() * max(smallest, one.element_size()) for one in lm.model.parameters())
    return bool(loading.unused_memory(device) > 2 * copy)


def _size(lm: HasWeights) -> int:
    return sum(one.numel() for one in lm.model.parameters())


def require_room(lm: HasWeights, teach: TeachBlock, folder: Path) -> None:
    """Refuses to train all weights where what that takes is not free.

    Args:
        folder: in which it will write; what an interrupted training left there it needs no room for.

    Raises:
        ModelError: what is needed, and what is free; or they are held in 4 bits.
    """
    if four_bit.is_held(lm.model):
        raise ModelError(
            "teach.finetuning = full: weights of 4 bits cannot be trained",
            "take teach.finetuning: lora, or leave out model.load_in_4bit",
        )
    count = _size(lm)
    _require_memory(count, lm.model.device, teach)
    there = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    _require_disk(count, _written(teach) * count - there, folder)


def require_room_ahead(model: ModelBlock, teach: TeachBlock, folder: Path, *, control: bool) -> bool:
    """The same before the model is loaded, by the headers of its files, for a run that has trained nothing.

    Args:
        folder: of the run; it need not exist.
        control: whether one is trained too.

    Returns:
        Whether it could be told: not for a model that is not on this machine, is served, or is packed.

    Raises:
        ModelError: as `require_room`; the device does not exist, or the files cannot be read.
    """
    if not isinstance(model, LocalModel):
        return False
    count = pretrained.numbers_of(model.path, model.revision)
    if count is None:
        return False
    _require_memory(count, loading.pick_device(model.device), teach)
    kept = WEIGHT * (1 + control)  # a copy of what is promoted
    _require_disk(count, (_written(teach) + kept) * count, folder)
    return True


def _require_memory(count: int, device: torch.device, teach: TeachBlock) -> None:
    phases = _online(teach)
    how = launch()
    # what is divided is whole once more, before and after
    full = FULL if how.sharding in ("none", "zero1") else WEIGHT + FULL / how.count
    # an online phase keeps the model as it was
    here = max((FULL * one.trained + WEIGHT for one in phases), default=full) * count
    beside = max((2 * CHECKPOINT * one.trained + WEIGHT * one.best for one in phases), default=0) * count
    if device.type in ("cpu", "mps"):  # one memory
        here, beside = how.here * (here + beside), 0
    many = f" in {how.count} processes" if how.count > 1 else ""
    for needed, where in ((here, device), (beside, loading.pick_device("cpu"))):
        if needed > (free := loading.unused_memory(where)):
            raise ModelError(
                f"teach.finetuning = full: training all {count / 1e6:,.0f} million weights{many} takes "
                f"{needed / 1e9:.1f} GB and more, and {free / 1e9:.1f} GB are free on {where}",
                "take teach.finetuning: lora, which trains an adapter, or a smaller model",
            )


def _require_disk(count: int, needed: int, folder: Path) -> None:
    existing = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if needed > (free := shutil.disk_usage(existing).free):
        raise ModelError(
            f"teach.finetuning = full: training all {count / 1e6:,.0f} million weights writes "
            f"{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free at {existing}",
            "make room there, give --run DIR on another disk, or take teach.finetuning: lora",
        )


def _written(teach: TeachBlock) -> int:
    """Bytes on the disk, of each weight, when a training has most there: phases keep their checkpoints."""
    kept = [CHECKPOINT * one.trained + WEIGHT * one.best for one in _online(teach)]
    return max(WEIGHT + sum(kept), sum(kept) + max(kept, default=0))


@dataclass(frozen=True)
class _Online:
    """What an online phase holds: models that are trained, and whether it keeps its best weights beside."""

    trained: int
    best: bool


def _online(teach: TeachBlock) -> list[_Online]:
    """The online phases of a plan; PPO trains a value network as large as the model."""
    return [
        _Online(2 if isinstance(one, PPOBlock) else 1, isinstance(one, PolicyBlock))
        for one in teach.plan
        if isinstance(one, OnlineDPOBlock | PolicyBlock)
    ]


def kept_bytes(model: Any, tokens: int, learned: int) -> int:
    """About how much a pass over so many tokens keeps, without attention; 0 where that need not be known.

    Args:
        learned: positions with logits, which are kept and have a gradient as large.
    """
    if model.device.type != "cpu" or getattr(model, "is_gradient_checkpointing", False):
        return 0
    config = model.config.get_text_config()
    names = ("num_hidden_layers", "hidden_size", "vocab_size")
    layers, hidden, words = (getattr(config, name, None) or 0 for name in names)
    return int(30 * 4 * layers * hidden * tokens + 2 * 4 * words * learned)  # measured: Gemma 3 270M, float32
