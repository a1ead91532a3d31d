"""In which order a trainer sees its rows: those of about one length together, in one process or several.

Knows nothing of what is in a row but its length, nor of losses.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from selfstudy.teach.trainers import processes, together

POOL = 16
"""Batches that are sorted by length together: enough to save padding, few enough to mix topics."""


class ByLength(torch.utils.data.Sampler[int]):
    """Indices in random order, but so that a batch holds sequences of about one length, to save padding.

    Shuffled; then pools of `POOL` batches are sorted by length; then the batches are shuffled.  Every epoch
    has an order of its own that depends on the seed alone.

    Args:
        groups: of each sequence, if those of one group shall be together before those of one length, since
            they begin alike (packed.py).
    """

    def __init__(
        self, sequences: Sequence[Sequence[int]], batch_size: int, seed: int, groups: Sequence[int] = ()
    ) -> None:
        lengths = [len(ids) for ids in sequences]
        # back and forth: where one group ends and the next begins, the longest are beside the longest
        self._places = [
            (group, -length if group % 2 else length)
            for group, length in zip(groups or [0] * len(lengths), lengths, strict=True)
        ]
        self._size = batch_size
        self._seed = seed
        self._epoch = itertools.count()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(f"{self._seed}:batches:{next(self._epoch)}")
        order = rng.sample(range(len(self._places)), len(self._places))
        pools = [order[i : i + POOL * self._size] for i in range(0, len(order), POOL * self._size)]
        indices = [i for pool in pools for i in sorted(pool, key=self._places.__getitem__)]
        batches = [indices[i : i + self._size] for i in range(0, len(indices), self._size)]
        rest = [batches.pop()] if len(indices) % self._size else []  # a short batch must come last
        rng.shuffle(batches)
        return itertools.chain.from_iterable([*batches, *rest])


def in_order(trainer: Any, sequences: Sequence[Sequence[int]], groups: Sequence[int] = ()) -> Any:
    """The order in which a trainer sees its rows; for several processes the last one is `with_filler`'s."""
    count, micro = trainer.args.world_size, trainer.args.per_device_train_batch_size
    size = count * micro * trainer.args.gradient_accumulation_steps
    if count < 2:
        return ByLength(sequences, size, trainer.args.seed, groups)
    order = ByLength(sequences[:-1], size, trainer.args.seed, groups[:-1])
    return together.Filled(order, len(sequences) - 1, count * micro)


def with_filler(table: list[dict[str, Any]], model: Any, **changes: Any) -> list[dict[str, Any]]:
    """The rows, and for several processes behind them one that counts for nothing, for `in_order`.

    Args:
        changes: the columns by which it does not count, made of it.
    """
    if processes.join(model.device).count < 2:
        return table
    filler = min(table, key=lambda row: sum(len(ids) for ids in row.values() if isinstance(ids, list)))
    return [*table, {**filler, **{name: make(filler) for name, make in changes.items()}}]
