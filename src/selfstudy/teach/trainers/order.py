"""In which order a trainer sees its rows: those of about one length together, in one process or several.

Knows nothing of what is in a row but its length, nor of losses.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from selfstudy.teach.trainers import processes, together
from selfstudy.teach.trainers.seen import Seen

POOL = 16
"""Batches that are sorted by length together: enough to save padding, few enough to mix topics."""


class ByLength(torch.utils.data.Sampler[int]):
    """Indices in random order, but so that a batch holds sequences of about one length, to save padding.

    Shuffled; then pools of `POOL` batches are sorted by length; then the batches are shuffled.  Every epoch
    has an order of its own that depends on the seed alone.

    Args:
        groups: of each sequence, if those of one group shall be together before those of one length, since
            they begin alike (packed.py).

    Attributes:
        size: sequences of a batch.
        drawn: the order of each epoch that has begun.
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
        self.size = batch_size
        self.drawn: list[np.ndarray] = []
        self._seed = seed
        self._epoch = itertools.count()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(f"{self._seed}:batches:{next(self._epoch)}")
        order = rng.sample(range(len(self._places)), len(self._places))
        pools = [order[i : i + POOL * self.size] for i in range(0, len(order), POOL * self.size)]
        indices = [i for pool in pools for i in sorted(pool, key=self._places.__getitem__)]
        batches = [indices[i : i + self.size] for i in range(0, len(indices), self.size)]
        rest = [batches.pop()] if len(indices) % self.size else []  # a short batch must come last
        rng.shuffle(batches)
        drawn = list(itertools.chain.from_iterable([*batches, *rest]))
        self.drawn.append(np.array(drawn, dtype=np.uint32))
        return iter(drawn)


def in_order(trainer: Any, sequences: Sequence[Sequence[int]], groups: Sequence[int] = ()) -> Any:
    """The order in which a trainer sees its rows; for several processes the last one is `with_filler`'s."""
    count, micro = trainer.args.world_size, trainer.args.per_device_train_batch_size
    size = count * micro * trainer.args.gradient_accumulation_steps
    if count < 2:
        trainer.by_length = ByLength(sequences, size, trainer.args.seed, groups)
        return trainer.by_length
    trainer.by_length = ByLength(sequences[:-1], size, trainer.args.seed, groups[:-1])
    return together.Filled(trainer.by_length, len(sequences) - 1, count * micro)


def seen(trainer: Any, items: Sequence[tuple[str, str]]) -> Seen:
    """In which steps a trainer that has trained had each row in its batch, up to where it stopped.

    A batch of `ByLength` is an optimizer step in all processes together, and a short one too.

    Args:
        items: of each row, see `Seen`.
    """
    order = trainer.by_length
    each = np.arange(len(order), dtype=np.uint32) // order.size + 1
    steps = [each + epoch * each[-1] for epoch in range(len(order.drawn))]
    every, rows = np.concatenate([each[:0], *steps]), np.concatenate([each[:0], *order.drawn])
    made = every <= trainer.state.global_step
    return Seen(items, rows[made], every[made])


def with_filler(table: list[dict[str, Any]], model: Any, **changes: Any) -> list[dict[str, Any]]:
    """The rows, and for several processes behind them one that counts for nothing, for `in_order`.

    Args:
        changes: the columns by which it does not count, made of it.
    """
    if processes.join(model.device).count < 2:
        return table
    filler = min(table, key=lambda row: sum(len(ids) for ids in row.values() if isinstance(ids, list)))
    return [*table, {**filler, **{name: make(filler) for name, make in changes.items()}}]
