"""Preferences as a loss: of two answers to a prompt, how much more a model leans to the better than before.

The loss of DPO (Rafailov et al. 2023, arXiv 2305.18290, equation 7), for pairs that were given and for pairs
that the model has just made.  The vocabulary layer runs on the answers alone, and the prompt that two answers
share is run once (packed.py): values and gradients are the same.  Knows nothing of who trains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from selfstudy.teach.trainers import answered, packed

ANSWERS = ("chosen_ids", "rejected_ids")
"""Columns of a pair."""


def loss(policy: Tensor, reference: Tensor, beta: float) -> Tensor:
    """-log sigmoid(beta [(log pi - log ref)(chosen) - (log pi - log ref)(rejected)]) of each pair.

    Args:
        policy, reference: (pairs, 2), log-probabilities of the chosen and the rejected answer.
    """
    chosen, rejected = (policy - reference).unbind(1)
    return -F.logsigmoid(beta * (chosen - rejected))


def chosen_loss(policy: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Mean cross-entropy of the tokens of each pair's chosen answer, in nats.

    Args:
        policy: as `logprobs` found it for this batch.
    """
    return -policy[:, 0] / batch["before"].sum(1)[::2]


def collated(rows: Sequence[Mapping[str, Sequence[int]]], device: Any = "cpu") -> dict[str, Tensor]:
    """Both answers of each pair behind its prompt, padded on the right.

    Returns:
        `input_ids`, `attention_mask` and `before` (2 x pairs, longest); the last marks what predicts a token
        of an answer.
    """
    return answered.collated([(row["prompt_ids"], row[name]) for row in rows for name in ANSWERS], device)


def logprobs(model: Any, batch: Mapping[str, Tensor], packing: packed.Packing | None = None) -> Tensor:
    """(pairs, 2): log-probabilities of the chosen and the rejected answer, each summed over its tokens.

    Args:
        batch: as `collated` makes it, on the model's device.
        packing: runs what answers share once, where that pays.
    """
    found = answered.logprobs(model, batch, packing)
    parts = torch.tensor_split(found, batch["before"].sum(1).cumsum(0)[:-1].cpu())
    return torch.stack([part.sum() for part in parts]).view(-1, 2)  # in one order on every device
