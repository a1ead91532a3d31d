"""Choosing tokens: repetition penalty, temperature, top-k, top-p, and a random stream per completion.

Pure functions over tensors.  Knows nothing of models or batches: a completion's stream depends on its key
alone, so what else is in the batch changes nothing (Sampling.seed in models/base.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def streams(keys: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.float64]:
    """Uniform numbers in [0, 1), shape (len(keys), length): row i depends on keys[i] alone.

    SplitMix64 (Steele, Lea & Flood 2014) from the state `key`; 32 bits of each output, so that adding a row
    number below 2**20 is exact in float64.
    """
    with np.errstate(over="ignore"):
        z = keys[:, None] + _GAMMA * np.arange(1, length + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.asarray((z >> np.uint64(32)) * 2.0**-32)


def penalise(logits: Tensor, tokens: Tensor, penalty: float) -> Tensor:
    """Divides positive and multiplies negative logits of every token already in the row (CTRL, section 4.1).

    Args:
        logits: (rows, vocabulary).
        tokens: (rows, length), all tokens so far, prompt included.
        penalty: 1.0 = off.
    """
    if penalty == 1.0:
        return logits
    seen = logits.gather(1, tokens)
    return logits.scatter(1, tokens, torch.where(seen < 0, seen * penalty, seen / penalty))


def distribution(scores: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    """Probabilities (rows, vocabulary) of temperature, then top-k, then top-p (Holtzman et al. 2020)."""
    if temperature != 1.0:
        scores = scores / temperature
    if 0 < top_k < scores.shape[1]:
        least = scores.topk(top_k, dim=1).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if top_p < 1.0:
        ordered, order = scores.sort(dim=1, descending=True)
        ordered = ordered.softmax(1)
        # A token leaves when the more probable ones reach top_p without it; the first always stays.
        leaves = ordered.cumsum(1) - ordered >= top_p
        leaves[:, 0] = False
        scores = scores.masked_fill(leaves.scatter(1, order, leaves), -torch.inf)
    return scores.softmax(1)


def draw(probabilities: Tensor, row: Tensor, uniform: Tensor) -> Tensor:
    """The token of each member by inverse CDF: the first whose cumulative probability exceeds its number.

    Args:
        probabilities: (rows, vocabulary).
        row: (members,), the row each member draws from.
        uniform: (members,), float64 in [0, 1).
    """
    rows, vocabulary = probabilities.shape
    cdf = probabilities.cumsum(1, dtype=torch.float64)
    # Row r occupies (r, r + 1], so all rows are one sorted line and one search serves all members.
    line = cdf.div_(cdf[:, -1:].clone()).add_(torch.arange(rows, device=cdf.device)[:, None])
    found = torch.searchsorted(line.flatten(), uniform + row, right=True)
    return found.sub_(row * vocabulary).clamp_(0, vocabulary - 1)
