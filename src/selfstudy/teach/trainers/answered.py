"""Answers behind their prompts as one batch, and what a model gives before each of their tokens.

What is made of that, preferences or rewards, is learned elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from selfstudy.models.local.weights import answering_model
from selfstudy.teach.trainers import packed, shared


def collated(
    answers: Sequence[tuple[Sequence[int], Sequence[int]]], device: Any = "cpu"
) -> dict[str, Tensor]:
    """Tokens of each prompt and its answer, padded on the right.

    Returns:
        `input_ids`, `attention_mask` and `before` (answers, longest); the last marks what predicts a token of
        an answer.
    """
    tokens = pad_sequence([torch.tensor([*p, *a]) for p, a in answers], batch_first=True)
    place = torch.arange(tokens.shape[1])
    start = torch.tensor([len(prompt) for prompt, _ in answers])[:, None]
    end = start + torch.tensor([len(answer) for _, answer in answers])[:, None]
    batch = {
        "input_ids": tokens,
        "attention_mask": (place < end).long(),
        "before": (place >= start - 1) & (place < end - 1),
    }
    return {name: column.to(device) for name, column in batch.items()}


def outputs(model: Any, batch: Mapping[str, Tensor], packing: packed.Packing | None) -> Tensor:
    """What the last layer gives before each token of the answers, row by row; it runs on these alone.

    Args:
        batch: as `collated` makes it, on the model's device.
        packing: runs what answers share once, where that pays.
    """
    tokens, mask, before = batch["input_ids"], batch["attention_mask"], batch["before"]
    core = answering_model(model)
    head = core.get_output_embeddings()
    one = packing.pack(core, core, tokens, mask) if packing is not None and head is not None else None
    if one is None:
        return shared.logits_at(model, head, tokens, mask, before)
    return packed.forward(core, one, one.places[before])


def logprobs(model: Any, batch: Mapping[str, Tensor], packing: packed.Packing | None) -> Tensor:
    """Natural-log probability of each token of the answers, row by row, by the model's whole distribution."""
    targets = F.pad(batch["input_ids"][:, 1:], (0, 1))[batch["before"]]
    return -F.cross_entropy(outputs(model, batch, packing).float(), targets, reduction="none")
