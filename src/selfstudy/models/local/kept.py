"""Keys and values of rows of tokens that stay where they are while rows grow, split and leave.

transformers' own cache is copied whole for every token, and again where a row splits or leaves.  This one
has room for tokens and rows to come and copies only what is new; it also continues rows from a beginning
that they share.  For models all of whose layers attend to keys and values.  Layers with a sliding window keep
everything here: their mask shows them the window.  Knows nothing of tokens and prompts.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

_ROOM = 32
"""Columns that are kept free: so many tokens are written before all is copied once."""


class KeptLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values, (rows, heads, columns, size): the beginning of memory that has room for more."""

    def __init__(self) -> None:
        super().__init__()
        self._memory: list[Tensor] = []

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Adds columns to all rows; returns all columns."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[2]
        if not self._memory or self._memory[0].shape[2] < end:
            self._renew((key_states, value_states), len(key_states), start, end + _ROOM)
        for memory, states in zip(self._memory, (key_states, value_states), strict=True):
            memory[: len(states), :, start:end] = states
        return self._show(len(key_states), end)

    def move(self, parent: Tensor, to: Tensor, since: int = 0) -> None:
        """Row i becomes row parent[i]; only rows `to` are new in their place, none of them is a parent.

        Args:
            since: columns before it are the same in a row and its parent already.
        """
        columns = self.get_seq_length()
        if len(parent) > len(self._memory[0]):
            old = [self.keys, self.values]
            self._renew(old, len(parent) * 5 // 4, 0, self._memory[0].shape[2])
            for memory, states in zip(self._memory, old, strict=True):
                memory[: len(parent), :, :columns] = states[parent]
        elif len(to):
            for memory in self._memory:
                memory[to, :, since:columns] = memory[parent[to], :, since:columns]
        self._show(len(parent), columns)

    def continued(self, parent: Tensor, index: Tensor, room: int) -> KeptLayer:
        """See KeptCache."""
        layer = KeptLayer()
        old = [self.keys, self.values]
        layer.lazy_initialization(*old)
        rows, columns = index.shape
        layer._renew(old, rows, 0, columns + room)
        for memory, states in zip(layer._memory, old, strict=True):
            memory[:, :, :columns] = states.transpose(1, 2)[parent[:, None], index].transpose(1, 2)
        layer._show(rows, columns)
        return layer

    def _renew(self, like: Any, rows: int, kept: int, columns: int) -> None:
        """New memory, with the first `kept` columns of what is shown."""
        made = []
        for states, shown in zip(like, (self.keys, self.values), strict=True):
            _, heads, _, size = states.shape
            memory = states.new_empty(rows, heads, columns, size)
            if kept:
                memory[: len(shown), :, :kept] = shown
            made.append(memory)
        self._memory = made

    def _show(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        self.keys, self.values = (memory[:rows, :, :columns] for memory in self._memory)
        return self.keys, self.values


class KeptCache(DynamicCache):  # type: ignore[misc]
    """The layers of a model; empty at first."""

    def __init__(self) -> None:
        super().__init__()
        self.layer_class_to_replicate = KeptLayer
        self.layers: list[KeptLayer]

    @property
    def columns(self) -> int:
        """How many tokens of every row it holds."""
        return self.layers[0].get_seq_length() if self.layers else 0

    def move(self, parent: Tensor, since: int = 0) -> None:
        """Row i becomes what row parent[i] is, in place; parents are where `staying` leaves them.

        Args:
            since: columns before it are the same in a row and its parent already.
        """
        to = (parent != torch.arange(len(parent), device=parent.device)).nonzero()[:, 0]
        for layer in self.layers:
            layer.move(parent, to, since)

    def selected(self, parent: Tensor) -> KeptCache:
        """A cache of its own with row i as row parent[i] is here."""
        return self.continued(
            parent, torch.arange(self.columns, device=parent.device).expand(len(parent), -1)
        )

    def continued(self, parent: Tensor, index: Tensor, new: int = 0) -> KeptCache:
        """A cache of its own whose row i has the columns index[i] of row parent[i].

        Args:
            parent: (rows,).
            index: (rows, columns).
            new: how many columns are going to follow at once.
        """
        cache = KeptCache()
        cache.layers = [layer.continued(parent, index, new + _ROOM) for layer in self.layers]
        return cache


def fits(config: Any) -> bool:
    """Whether all layers attend to keys and values, as a model's config tells transformers.

    Windows that are none are for the model itself to fail at.
    """
    if (getattr(config, "sliding_window", None) or 1) < 1:
        return False
    layers = DynamicCache(config=config).layers
    return bool(layers) and {type(layer) for layer in layers} <= {DynamicLayer, DynamicSlidingWindowLayer}


def staying(parent: Tensor) -> Tensor:
    """An order of new rows in which as many as can be stand where the row stood that they continue.

    The others stand where no row stays, so that they can be copied there in place.

    Args:
        parent: (rows,), ascending: the old row that each new one continues.
    """
    rows = len(parent)
    first = torch.ones_like(parent, dtype=torch.bool)
    first[1:] = parent[1:] != parent[:-1]
    stays = first & (parent < rows)
    order = torch.full_like(parent, -1)
    order[parent[stays]] = stays.nonzero()[:, 0]
    order[order < 0] = (~stays).nonzero()[:, 0]
    return order
