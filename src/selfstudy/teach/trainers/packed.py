"""A batch as one sequence in which a beginning that rows share is run once.

    [beginning] [rest of row a] [another beginning of b and c] [rest of row b] [rest of row c] ...

The rows are a tree of tokens, each written down once, after the one before it.  A token sees those on its
own way alone, by a mask of two dimensions, and has the position that it has in its row, so that logits and
gradients are those of the rows apart.  Prompts with demonstrations are mostly alike, in parts also where
these come in other orders: on such batches a step costs a third.  Whether a model keeps to mask and positions
is tried out, never guessed: recurrent layers do not.  Knows nothing of losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

_KEY = 16
"""Rows share nothing that differ in so many first tokens: it would be little."""
_SAVED = 0.75
"""At most this share of the tokens of the padded batch, else it is not worth it."""
_WIDER = 1.5
"""At most so many times its pairs of tokens in attention: most are masked, and all are kept in memory."""
_WINDOWS = ("sliding_window", "attention_chunk_size", "window_size", "attention_window_size")
"""What a config calls a reach of attention that a mask from outside would overrule."""


@dataclass(frozen=True)
class Packed:
    """One sequence for several rows.

    Attributes:
        tokens: (1, length).
        positions: (1, length), as in the rows.
        mask: (1, 1, length, length), additive.
        places: (rows, longest) where each token of a row is now; those of padding are 0.
    """

    tokens: Tensor
    positions: Tensor
    mask: Tensor
    places: Tensor


def pack(tokens: Tensor, mask: Tensor, config: Any, dtype: torch.dtype) -> Packed | None:
    """The rows as one sequence; None if that would not pay, or the model's attention does not reach so far.

    Args:
        tokens: (rows, longest), padded on the right.
        mask: (rows, longest), 0 where padded.
    """
    lengths = mask.sum(1).tolist()
    if any(max(lengths) > (getattr(config, name, None) or torch.inf) for name in _WINDOWS):
        return None
    rows = [row[:length] for row, length in zip(tokens.tolist(), lengths, strict=True)]
    flat, parents, places = _tree(rows, longest := tokens.shape[1])
    length, count = len(flat), len(rows)
    if length > _SAVED * count * longest or length**2 > _WIDER * count * longest**2:
        return None
    seen = np.zeros((length, length), dtype=bool)
    positions = np.zeros(length, dtype=np.int64)
    for node, parent in enumerate(parents):
        if parent >= 0:  # which comes before
            seen[node] = seen[parent]
            positions[node] = positions[parent] + 1
        seen[node, node] = True
    additive = torch.zeros(seen.shape, dtype=dtype)
    additive.masked_fill_(torch.from_numpy(~seen), torch.finfo(dtype).min)
    return Packed(
        torch.tensor([flat]).to(tokens.device),
        torch.from_numpy(positions)[None].to(tokens.device),
        additive[None, None].to(tokens.device),
        places.to(tokens.device),
    )


def _tree(rows: Sequence[list[int]], longest: int) -> tuple[list[int], list[int], Tensor]:
    """The rows as a tree, in which those share beginnings that have at least `_KEY` tokens in common.

    Returns:
        The token of each node, the node before it (-1: none), and the node of each token of a row
        (rows, longest), 0 where padded.
    """
    flat: list[int] = []
    parents: list[int] = []
    places = torch.zeros(len(rows), longest, dtype=torch.long)
    found: dict[tuple[int, int], int] = {}
    starts: dict[tuple[int, ...], int] = {}
    for i, row in enumerate(rows):
        node = -1 - starts.setdefault(tuple(row[:_KEY]), len(starts))  # a root of its own, below 0
        way = []
        for token in row:
            before, node = node, found.setdefault((node, token), len(flat))
            if node == len(flat):
                flat.append(token)
                parents.append(max(before, -1))
            way.append(node)
        places[i, : len(row)] = torch.tensor(way)
    return flat, parents, places


class Packing:
    """Runs batches packed where that pays and the model allows it.

    Attributes:
        works: whether the model allows it; None: it has not been tried.
    """

    def __init__(self) -> None:
        self.works: bool | None = None

    def pack(self, model: Any, core: Any, tokens: Tensor, mask: Tensor) -> Packed | None:
        """The batch as one sequence, or None; the first one is tried both ways.

        Args:
            model: what is run.
            core: the transformers model in it.
        """
        if self.works is False or len(tokens) < 2:  # one row alone cannot be tried out
            return None
        config = core.config.get_text_config()
        packed = pack(tokens, mask, config, next(core.parameters()).dtype)
        if packed is not None and self.works is None:
            others = (tokens != tokens[0]).any(1).nonzero()[:, 0].tolist()
            if not others:  # nor the same one again, which is one when packed
                return None
            self.works = _same(model, packed, tokens, mask, [0, others[0]])
        return packed if self.works else None


@torch.no_grad()
def _same(model: Any, packed: Packed, tokens: Tensor, mask: Tensor, rows: Sequence[int]) -> bool:
    """Whether some rows of the batch give the same logits packed and apart, up to rounding."""
    trained = model.training
    model.eval()
    try:
        apart = model(input_ids=tokens[rows], attention_mask=mask[rows], use_cache=False).logits.float()
        ends = mask[rows].sum(1) - 1
        apart = apart[torch.arange(len(ends)), ends]
        places = packed.places[rows][torch.arange(len(ends)), ends]

        def moved(one: Packed) -> Tensor:
            """How far packing moves the logits (root mean square)."""
            return torch.as_tensor((forward(model, one, places).float() - apart).square().mean().sqrt())

        # What a wrong result would show is the measure, as where a model's padding is tried out: the
        # rounding of short numbers moves the logits of a deep model by a good part of their spread.
        return bool(moved(packed) < _rounding(packed.mask.dtype) * moved(_unmasked(packed)))
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):  # its code knows no such mask
        return False
    finally:
        model.train(trained)


def _rounding(dtype: torch.dtype) -> float:
    """What may be rounding, as a share of what a wrong result would show."""
    return max(1e-3, 16 * torch.finfo(dtype).eps)


def _unmasked(packed: Packed) -> Packed:
    """The sequence in which each token sees all before it, other rows too."""
    hidden = torch.full_like(packed.mask, torch.finfo(packed.mask.dtype).min)
    return replace(packed, mask=hidden.triu(1))


def forward(model: Any, packed: Packed, places: Tensor) -> Tensor:
    """Logits (places, vocabulary) at places of the sequence; the vocabulary layer runs on these alone."""
    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, states: (states[0][:, places],))
    try:
        return torch.as_tensor(
            model(
                input_ids=packed.tokens,
                attention_mask=packed.mask,
                position_ids=packed.positions,
                use_cache=False,
            ).logits[0]
        )
    finally:
        hook.remove()
