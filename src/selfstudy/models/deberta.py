"""DeBERTa-v2 and v3 classifiers, faster: the same numbers with a fraction of the work and memory.

The attention of transformers compares every token with all of its 512 relative positions, copies their
projections for each text of the batch, and picks what it needs with an index of the size of the scores; so
batching gains nothing on a CPU.  Here the positions are projected once per model, only those that a text of
this length has are used, and what belongs to each (query, key) is a view of the product.  The last layer
computes the first token alone: a classifier reads no other.

He et al. 2021, DeBERTa, section 3.1.  For inference only.  Knows nothing of pairs or labels.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Tensor = torch.Tensor


def quicken(model: Any) -> bool:
    """Replaces the attention of a DeBERTa-v2 sequence classifier, in place; whether it was one.

    It gives the same logits up to rounding.  Its weights must not change afterwards.
    """
    if type(model).__name__ != "DebertaV2ForSequenceClassification":
        return False
    encoder = model.deberta.encoder
    if not encoder.relative_attention:
        return False
    with torch.inference_mode():
        embedded = encoder.get_rel_embedding()
        for layer in encoder.layer:
            layer.attention.self = Attention(layer.attention.self, embedded)
    if len(encoder.layer) > 1:  # behind the first layer there may be a convolution over all tokens
        encoder.layer[-1] = FirstToken(encoder.layer[-1])
    return True


class FirstToken(nn.Module):
    """A layer that gives the first token alone: (batch, length, hidden) -> (batch, 1, hidden)."""

    def __init__(self, old: Any) -> None:
        super().__init__()
        self.old = old

    def forward(self, hidden: Tensor, mask: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        attended, _ = self.old.attention.self(hidden, mask, queries=1)
        attended = self.old.attention.output(attended, hidden[:, :1])
        return self.old.output(self.old.intermediate(attended), attended), None


class Attention(nn.Module):
    """Disentangled self-attention: content to content, content to position, position to content.

    Takes the place of `DisentangledSelfAttention` of transformers, with its weights.
    """

    def __init__(self, old: Any, embedded: Tensor) -> None:
        """`embedded`: the model's relative positions, shape (2 * span, hidden), normalised."""
        super().__init__()
        self.query, self.key, self.value = old.query_proj, old.key_proj, old.value_proj
        self.heads, self.size, self.span = old.num_attention_heads, old.attention_head_size, old.pos_ebd_size
        self.buckets, self.most = old.position_buckets, old.max_relative_positions
        projections = {"c2p": self.key, "p2c": self.query}
        if not old.share_att_key:
            own = {"c2p": "pos_key_proj", "p2c": "pos_query_proj"}
            projections = {kind: getattr(old, own[kind]) for kind in own if kind in old.pos_att_type}
        kinds = [kind for kind in projections if kind in old.pos_att_type]
        self.scale = 1 / sqrt(self.size * (1 + len(kinds)))
        rows = embedded[: 2 * self.span]
        self.tables = {kind: self._split(projections[kind](rows) * self.scale) for kind in kinds}
        """kind -> the projected positions, shape (heads, 2 * span, size), scaled as scores are."""

    def _split(self, rows: Tensor) -> Tensor:
        """(..., heads * size) -> (heads, ..., size), a view."""
        return rows.view(*rows.shape[:-1], self.heads, self.size).movedim(-2, 0)

    def forward(
        self, hidden: Tensor, mask: Tensor, *_: Any, queries: int | None = None, **__: Any
    ) -> tuple[Tensor, None]:
        """Attended values, shape (batch, queries, hidden), for all tokens or the first one.

        Args:
            hidden: shape (batch, length, hidden).
            mask: shape (batch, 1, length, length), nonzero where a key is seen.
            queries: None or 1.
        """
        query = self._split(self.query(hidden[:, :queries]))
        key, value = self._split(self.key(hidden)), self._split(self.value(hidden))
        # a key is seen by all queries or by none, and the first query is no padding
        bias = torch.zeros((), dtype=hidden.dtype, device=hidden.device)
        bias = bias.masked_fill(~mask[:, 0, :1, :].bool(), torch.finfo(hidden.dtype).min)
        for kind, table in self.tables.items():
            bias = bias + (_by_query if kind == "c2p" else _by_key)(query, key, table[:, self._rows(hidden)])
        attended = functional.scaled_dot_product_attention(query, key, value, bias, scale=self.scale)
        return attended.movedim(0, -2).flatten(-2), None

    def _rows(self, hidden: Tensor) -> Tensor:
        """Row of the position table for each distance query - key from 1 - length to length - 1, in order."""
        length = hidden.shape[1]
        distance = torch.arange(1 - length, length, device=hidden.device)
        if self.buckets > 0 and self.most > 0:
            distance = _bucket(distance, self.buckets, self.most)
        rows: Tensor = (distance + self.span).clamp(0, 2 * self.span - 1)
        return rows


def _bucket(distance: Tensor, buckets: int, most: int) -> Tensor:
    """Distances up to half of `buckets` as they are, farther ones in logarithmic steps up to `most`."""
    middle = buckets // 2
    far = distance.abs().clamp(min=middle).float()
    steps = torch.ceil(torch.log(far / middle) / torch.log(torch.tensor((most - 1) / middle)) * (middle - 1))
    logarithmic = (steps.long() + middle) * distance.sign()
    return torch.where(distance.abs() <= middle, distance, logarithmic)


def _by_query(query: Tensor, key: Tensor, table: Tensor) -> Tensor:
    """Content to position: score[h, b, i, j] = query[h, b, i] . table[h, i - j + length - 1]."""
    length = key.shape[2]
    if query.shape[2] == 1:  # i = 0
        return _products(query, table[:, :length].flip(1))
    found = _products(query, table.flip(1))  # column j - i + length - 1
    return _view(found, (found.shape[-1] - 1, 1))


def _by_key(query: Tensor, key: Tensor, table: Tensor) -> Tensor:
    """Position to content: score[h, b, i, j] = key[h, b, j] . table[h, i - j + length - 1]."""
    length = key.shape[2]
    if query.shape[2] == 1:
        return (key * table[:, None, :length].flip(2)).sum(-1).unsqueeze(2)
    found = _products(key, table)  # row j, column i - j + length - 1
    return _view(found, (1, found.shape[-1] - 1))


def _products(states: Tensor, table: Tensor) -> Tensor:
    """(heads, batch, length, size) and (heads, columns, size) -> (heads, batch, length, columns)."""
    found = torch.bmm(states.flatten(1, 2), table.transpose(1, 2))
    return found.view(*states.shape[:3], -1)


def _view(products: Tensor, strides: tuple[int, int]) -> Tensor:
    """(heads, batch, length, 2 * length - 1) seen as (heads, batch, length, length), without a copy."""
    heads, batch, length, columns = products.shape
    outer = (batch * length * columns, length * columns)
    return products.as_strided((heads, batch, length, length), (*outer, *strides), length - 1)
