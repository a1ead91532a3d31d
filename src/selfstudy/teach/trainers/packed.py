"""A batch as one sequence in which a beginning that rows share is run once.

    [beginning of group 1] [rest of row a] [rest of row b] [beginning of group 2] [rest of row c] ...

Each token sees its own row alone, by a mask of two dimensions, and has the position that it has there, so
that logits and gradients are those of the rows apart.  Prompts with demonstrations are mostly alike: on such
batches a step costs a third.  Whether a model keeps to mask and positions is tried out, never guessed:
recurrent layers do not.  Knows nothing of losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from selfstudy.models.local.prefixes import in_common

_KEY = 16
"""Rows that begin with so many equal tokens are one group."""
_SAVED = 0.75
"""At most this share of the tokens of the padded batch, else it is not worth it."""
_WIDER = 4
"""At most so many times its pairs of tokens in attention, of which most are masked."""
_WINDOWS = ("sliding_window", "attention_chunk_size")
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
    groups = _groups(rows)
    shared = {rank: _shared([rows[i] for i in group]) for rank, group in enumerate(groups)}
    length = sum(shared[r] + sum(lengths[i] - shared[r] for i in g) for r, g in enumerate(groups))
    count, longest = tokens.shape
    if length > _SAVED * count * longest or length**2 > _WIDER * count * longest**2:
        return None
    flat: list[int] = []
    positions: list[int] = []
    group_of: list[int] = []
    row_of: list[int] = []  # -1: of all rows of the group
    places = torch.zeros(count, longest, dtype=torch.long)

    def add(part: Sequence[int], first: int, group: int, row: int) -> None:
        flat.extend(part)
        positions.extend(range(first, first + len(part)))
        group_of.extend([group] * len(part))
        row_of.extend([row] * len(part))

    for rank, group in enumerate(groups):
        start, size = len(flat), shared[rank]
        add(rows[group[0]][:size], 0, rank, -1)
        for i in group:
            places[i, :size] = torch.arange(start, start + size)
            places[i, size : lengths[i]] = torch.arange(len(flat), len(flat) + lengths[i] - size)
            add(rows[i][size:], size, rank, i)
    in_group, in_row = torch.tensor(group_of), torch.tensor(row_of)
    seen = in_group[:, None] == in_group[None, :]
    seen &= (in_row[None, :] == -1) | (in_row[:, None] == in_row[None, :])
    seen &= torch.ones(len(flat), len(flat), dtype=torch.bool).tril()
    additive = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)
    return Packed(
        torch.tensor([flat]).to(tokens.device),
        torch.tensor([positions]).to(tokens.device),
        additive[None, None].to(tokens.device),
        places.to(tokens.device),
    )


def _groups(rows: Sequence[list[int]]) -> list[list[int]]:
    """Indices of rows that begin alike, in the order in which the first of each comes."""
    found: dict[tuple[int, ...], list[int]] = {}
    for i, row in enumerate(rows):
        found.setdefault(tuple(row[:_KEY]), []).append(i)
    return list(found.values())


def _shared(rows: Sequence[list[int]]) -> int:
    """How many first tokens all rows have in common; of one row none, for nobody shares them."""
    return min((in_common(rows[0], row) for row in rows[1:]), default=0)


class Packing:
    """Runs batches packed where that pays and the model allows it."""

    def __init__(self) -> None:
        self._works: bool | None = None

    def pack(self, model: Any, core: Any, tokens: Tensor, mask: Tensor) -> Packed | None:
        """The batch as one sequence, or None; the first one is tried both ways.

        Args:
            model: what is run.
            core: the transformers model in it.
        """
        if self._works is False:
            return None
        config = core.config.get_text_config()
        packed = pack(tokens, mask, config, next(core.parameters()).dtype)
        if packed is not None and self._works is None:
            self._works = _same(model, packed, tokens, mask)
        return packed if self._works else None


@torch.no_grad()
def _same(model: Any, packed: Packed, tokens: Tensor, mask: Tensor) -> bool:
    """Whether two rows of the batch give the same logits packed and apart, up to rounding."""
    trained = model.training
    model.eval()
    rows = slice(0, 2)
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
