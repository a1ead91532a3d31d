"""Texts through a model in batches of like length, which are halved where memory runs out.

Knows lengths in tokens and how much may be padded; nothing of what is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch

from selfstudy.models.local import loading

T = TypeVar("T")
CPU_TOKENS, GPU_TOKENS = 512, 16_384
"""Most tokens of a batch: with more, values leave a CPU's caches between operations."""


def in_batches(
    lengths: Sequence[int],
    budget: int,
    compute: Callable[[list[int]], Iterable[T]],
    settle: Callable[[int, T], None],
    device: torch.device,
    *,
    pads: bool = True,
) -> int:
    """Computes a result for every length, and settles each by its place.

    Args:
        lengths: tokens of each, above 0.
        budget: most tokens of a batch, padding included; one that is longer goes alone.
        compute: the results of those at these places, the longest first.
        pads: whether unlike lengths can go together.

    Returns:
        The budget that memory had room for.

    Raises:
        RuntimeError: memory has no room for one alone.
    """
    order = _in_order(lengths)
    start = 0
    while start < len(order):
        batch = _batch(order, lengths, start, budget, pads)
        try:
            found = compute(batch)
        except RuntimeError as error:
            if not loading.is_out_of_memory(error) or len(batch) == 1:
                raise
            found = None
        if found is None:  # outside of the handler, whose error holds what was computed
            budget //= 2
            loading.free_memory(device)
            continue
        for at, one in zip(batch, found, strict=True):
            settle(at, one)
        start += len(batch)
    return budget


def planned(lengths: Sequence[int], budget: int, *, pads: bool = True) -> list[list[int]]:
    """The places of the batches that `in_batches` computes, where memory does not run out."""
    order = _in_order(lengths)
    found: list[list[int]] = []
    start = 0
    while start < len(order):
        found.append(_batch(order, lengths, start, budget, pads))
        start += len(found[-1])
    return found


def _in_order(lengths: Sequence[int]) -> list[int]:
    """Like lengths together; the longest first, so that memory runs out at once or not at all."""
    return sorted(range(len(lengths)), key=lambda at: -lengths[at])


def _batch(order: Sequence[int], lengths: Sequence[int], start: int, budget: int, pads: bool) -> list[int]:
    """What goes together from `start` on."""
    longest = lengths[order[start]]
    end = min(len(order), start + max(1, budget // longest))
    while not pads and lengths[order[end - 1]] != longest:
        end -= 1
    return list(order[start:end])


def padded(batch: Sequence[dict[str, list[int]]], pad: int, device: torch.device) -> dict[str, Any]:
    """Model inputs of one batch, the longest first: each (batch, length), with `attention_mask`.

    Args:
        pad: what `input_ids` are filled with; everything else is with 0.
    """
    length = len(batch[0]["input_ids"])
    inputs = {}
    for name in batch[0]:
        fill = pad if name == "input_ids" else 0
        rows = [one[name] + [fill] * (length - len(one[name])) for one in batch]
        inputs[name] = torch.tensor(rows, device=device)
    lengths = torch.tensor([len(one["input_ids"]) for one in batch], device=device)
    inputs["attention_mask"] = (torch.arange(length, device=device) < lengths[:, None]).long()
    return inputs
