"""What a training takes of memory and disk, and whether it is free.  Knows nothing of what is trained."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import ModelError
from selfstudy.files import reading
from selfstudy.models.base import HasWeights
from selfstudy.models.local import four_bit, gguf, headers, loading
from selfstudy.recipe import OnlineDPOBlock, weights_of

if TYPE_CHECKING:
    import torch

    from selfstudy.recipe import Recipe, TeachBlock

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
        folder: in which it will write, or one above it.

    Raises:
        ModelError: what is needed, and what is free; or they are held in 4 bits.
    """
    if four_bit.is_held(lm.model):
        raise ModelError(
            "teach.finetuning = full: weights of 4 bits cannot be trained",
            "take teach.finetuning: lora, or leave out model.load_in_4bit",
        )
    _require(_size(lm), lm.model.device, teach, folder)


def require_room_ahead(recipe: Recipe, folder: Path) -> None:
    """The same before the model is loaded, by the headers of its files; one that is not here yet passes.

    Raises:
        ModelError: as `require_room`; the device does not exist, or the files cannot be read.
    """
    block = weights_of(recipe.model)
    if block is None or recipe.teach.finetuning != "full":
        return
    place, is_folder = loading.locate(block.path, "lm")
    if is_folder:
        path = Path(place)
        held = gguf.stored(path) if reading.is_file(path) else headers.held_by(path)
        _require(held.numbers, loading.pick_device(block.device), recipe.teach, folder)


def _require(numbers: int, device: torch.device, teach: TeachBlock, folder: Path) -> None:
    """Refuses where one of the three is short: of the device, of this machine's memory, of the disk."""
    online = any(isinstance(one, OnlineDPOBlock) for one in teach.plan)  # keeps the start, and checkpoints
    trained = (FULL + WEIGHT * online) * numbers
    written = 2 * CHECKPOINT * online * numbers
    on_host = device.type == "cpu"
    _fits(numbers, trained + written * on_host, loading.unused_memory(device), f"free on {device}")
    if not on_host:
        _fits(numbers, written, loading.unused_memory(loading.pick_device("cpu")), "free in this machine")
    kept = (WEIGHT + 2 * CHECKPOINT * online) * numbers
    _fits(numbers, kept, shutil.disk_usage(folder).free, f"free on the disk of {folder}")


def _fits(numbers: int, needed: int, free: int, where: str) -> None:
    if needed > free:
        raise ModelError(
            f"teach.finetuning = full: training all {numbers / 1e6:,.0f} million weights takes "
            f"{needed / 1e9:.1f} GB and more, and {free / 1e9:.1f} GB are {where}",
            "take teach.finetuning: lora, which trains an adapter, or a smaller model",
        )


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
