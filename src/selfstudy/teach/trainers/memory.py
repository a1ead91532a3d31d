"""What a training takes of memory, and whether it is free.  Knows nothing of what is trained on what."""

from __future__ import annotations

from typing import Any

from selfstudy.errors import ModelError
from selfstudy.models.base import HasWeights
from selfstudy.models.local import four_bit, loading

FULL_BYTES = 16
"""Of a weight that is trained, in float32: itself, its gradient and the two moments of AdamW."""
ONLINE_BYTES = 28
"""More of it in an online phase: as it was, and in a checkpoint that is being written (measured: 24)."""
KEPT = 3 * 10**9
"""Most bytes that a model on the CPU may keep of a forward pass for its gradient."""


def has_room(lm: HasWeights, *, full: bool = False) -> bool:
    """Whether the memory is free to train: twice that of a converted copy, or what all weights take."""
    device = lm.model.device
    if full:
        return bool(loading.unused_memory(device) >= FULL_BYTES * _size(lm))
    held = four_bit.is_held(lm.model)  # and not converted
    smallest = 1 if held else 2 if loading.has_bfloat16(device) else 4
    copy = sum(one.numel() * max(smallest, one.element_size()) for one in lm.model.parameters())
    return bool(loading.unused_memory(device) > 2 * copy)


def _size(lm: HasWeights) -> int:
    return sum(one.numel() for one in lm.model.parameters())


def require_room(lm: HasWeights, *, online: bool = False) -> None:
    """Refuses to train all weights where what that takes is not free.

    Args:
        online: whether a phase is among it that keeps the model as it was, and checkpoints.

    Raises:
        ModelError: what is needed, and what is free; or they are held in 4 bits.
    """
    if four_bit.is_held(lm.model):
        raise ModelError(
            "teach.finetuning = full: weights of 4 bits cannot be trained",
            "take teach.finetuning: lora, or leave out model.load_in_4bit",
        )
    count = _size(lm)
    needed = (FULL_BYTES + ONLINE_BYTES * online) * count
    free = loading.unused_memory(lm.model.device)
    if needed > free:
        raise ModelError(
            f"teach.finetuning = full: training all {count / 1e6:,.0f} million weights takes "
            f"{needed / 1e9:.1f} GB and more, and {free / 1e9:.1f} GB are free on {lm.model.device}",
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
