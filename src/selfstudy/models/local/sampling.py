"""Choosing tokens: repetition penalty, temperature, top-k, top-p, and a random stream per completion.

Pure functions over tensors.  Knows nothing of models or batches: a completion's stream depends on its key
alone, so what else is in the batch changes nothing (Sampling.seed in models/base.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from selfstudy.models.base import Sampling

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 512
"""Tokens of the vocabulary that are summed up, or compared, first."""
_TOGETHER = 2**21
"""Logits that are worked on at a time on a CPU: 8 MiB of float32."""


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


def choose(
    logits: Tensor, seen: Tensor, row: Tensor, uniform: Tensor, greedy: Tensor, options: Sampling
) -> tuple[Tensor, Tensor]:
    """The next token of each member, and the log of the sum of exp(logits) of each row.

    Works on few rows at a time: what a step needs beside the logits stays in the processor's cache, not in
    memory that the system has to find anew for every step.

    Args:
        logits: (rows, vocabulary), float32; they are as before afterwards, but for rows that are no numbers.
        seen: (rows, length), tokens that are punished.
        row: (members,), the row each member continues.
        uniform: (members,), float64 in [0, 1): the number of each member.
        greedy: (members,), who takes the most probable token instead.
        options: temperature, repetition penalty, top-k and top-p.
    """
    rows, vocabulary = logits.shape
    together = max(1, _TOGETHER // vocabulary) if logits.device.type == "cpu" else rows
    token = torch.zeros_like(row)
    totals = []
    for start in range(0, rows, together):
        part = logits[start : start + together]
        total = part.logsumexp(1)
        totals.append(total)
        failed = ~total.isfinite()
        if bool(failed.any()):
            part.masked_fill_(failed[:, None], 0.0)
        before = penalise_(part, seen[start : start + together], options.repetition_penalty)
        inside = (row >= start) & (row < start + together)
        for members in ((inside & greedy).nonzero()[:, 0], (inside & ~greedy).nonzero()[:, 0]):
            if len(members):
                wanted, at = torch.unique(row[members] - start, return_inverse=True)
                scores = part if len(wanted) == len(part) else part[wanted]
                if bool(greedy[members[0]]):
                    token[members] = most_probable(scores)[at]
                else:
                    probabilities = distribution(scores, options.temperature, options.top_k, options.top_p)
                    token[members] = draw(probabilities, at, uniform[members])
        if before is not None:
            part.scatter_(1, seen[start : start + together], before)
    return token, torch.cat(totals)


def punished(tokens: Tensor, spared: Tensor) -> Tensor:
    """The tokens of each row without those that are spared, in whose place stands the first that is not.

    Args:
        tokens: (rows, length).
        spared: (rows,), how many columns at the left.
    """
    first = tokens.gather(1, spared[:, None])
    columns = torch.arange(tokens.shape[1], device=first.device)
    return torch.where(columns < spared[:, None], first, tokens)


def penalise_(logits: Tensor, tokens: Tensor, penalty: float) -> Tensor | None:
    """Divides positive and multiplies negative logits of every token already in the row (CTRL, section 4.1).

    In place; what comes back is what stood there, None if nothing is changed.

    Args:
        logits: (rows, vocabulary).
        tokens: (rows, length), all tokens so far, prompt included.
        penalty: 1.0 = off.
    """
    if penalty == 1.0:
        return None
    seen = logits.gather(1, tokens)
    logits.scatter_(1, tokens, torch.where(seen < 0, seen * penalty, seen / penalty))
    return seen


def most_probable(scores: Tensor) -> Tensor:
    """The column of the largest score of each row, the first of several; in blocks, as `argmax` is slow."""
    block = _by_block(scores, lambda part: part.amax(2)).argmax(1)
    inside = _block_of(scores, torch.arange(len(scores), device=scores.device), block, -torch.inf)
    return block * _BLOCK + inside.argmax(1)


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

    Sums are float64.  In a large vocabulary they are those of blocks, then those within the one block that a
    member's number falls into: the token is that of one sum over everything, up to rounding (1e-13).

    Args:
        probabilities: (rows, vocabulary).
        row: (members,), the row each member draws from.
        uniform: (members,), float64 in [0, 1).
    """
    if probabilities.numel() <= len(row) * _BLOCK:
        return _on_one_line(probabilities, row, uniform)
    blocks = _by_block(probabilities, lambda part: part.sum(2, dtype=torch.float64))
    line = blocks.cumsum(1)[row]
    sought = uniform * line[:, -1]
    block = _first_above(line, sought)
    before = line.gather(1, (block - 1).clamp(min=0)[:, None])[:, 0].masked_fill(block == 0, 0.0)
    inside = _block_of(probabilities, row, block, 0.0).cumsum(1, dtype=torch.float64)
    return block * _BLOCK + _first_above(inside, sought - before)


def _on_one_line(probabilities: Tensor, row: Tensor, uniform: Tensor) -> Tensor:
    """`draw` for many members and a small vocabulary."""
    rows, vocabulary = probabilities.shape
    cdf = probabilities.cumsum(1, dtype=torch.float64)
    # Row r occupies (r, r + 1], so all rows are one sorted line and one search serves all members.
    line = cdf.div_(cdf[:, -1:].clone()).add_(torch.arange(rows, device=cdf.device)[:, None])
    found = torch.searchsorted(line.flatten(), uniform + row, right=True)
    return found.sub_(row * vocabulary).clamp_(0, vocabulary - 1)


def _by_block(values: Tensor, reduce: Callable[[Tensor], Tensor]) -> Tensor:
    """`reduce` of (rows, blocks, tokens) over the tokens of each block, the last of which may have fewer."""
    whole = values.shape[1] - values.shape[1] % _BLOCK
    parts = [reduce(values[:, :whole].reshape(len(values), -1, _BLOCK))] if whole else []
    if whole < values.shape[1]:
        parts.append(reduce(values[:, None, whole:]))
    return torch.cat(parts, 1)


def _block_of(values: Tensor, row: Tensor, block: Tensor, filler: float) -> Tensor:
    """(members, tokens of a block): one block of a row each, filled up at the end of the vocabulary."""
    column = block[:, None] * _BLOCK + torch.arange(_BLOCK, device=row.device)
    last = values.shape[1] - 1
    return values[row[:, None], column.clamp(max=last)].masked_fill(column > last, filler)


def _first_above(line: Tensor, sought: Tensor) -> Tensor:
    """Where each rising line (members, places) first exceeds the member's number.

    By rounding none may, or the first although it is 0: numbers are kept within what the line reaches, so
    that it rises at the place that is found and no token of probability 0 is.
    """
    end = torch.nextafter(line[:, -1], torch.zeros_like(sought))
    sought = torch.minimum(sought, end).clamp(min=0.0)
    return torch.searchsorted(line, sought[:, None], right=True)[:, 0].clamp_(max=line.shape[1] - 1)
