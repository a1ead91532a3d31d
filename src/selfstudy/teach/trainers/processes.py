"""The processes that train one model together, each on answers of its own: one, or what accelerate starts.

Started by `accelerate launch` (or torchrun) each has all weights, answers its share of the questions of a
step, and takes the same step as all others, since gradients are summed.  Knows nothing of what is trained.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch

from selfstudy.errors import ModelError

T = TypeVar("T")
COUNT = "WORLD_SIZE"
"""How who starts several says how many there are."""
WAITING = timedelta(hours=24)
"""How long those that follow wait for the one that leads, which may ask models for hours meanwhile."""


@dataclass(frozen=True)
class Processes:
    """All of them, as one sees them; without arguments one process that is alone, and for which all is local.

    Attributes:
        rank: which this one is, from 0.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the one that reports and writes."""
        return self.rank == 0

    def share(self, items: Sequence[T], key: Callable[[T], Hashable]) -> list[T]:
        """What falls to this one: about as many as to any other, and all that have one key to the same."""
        names = list(dict.fromkeys(map(key, items)))
        begin, end = (at * len(names) // self.count for at in (self.rank, self.rank + 1))
        own = set(names[begin:end])
        return [one for one in items if key(one) in own]

    def gathered(self, own: T) -> list[T]:
        """What each of them gives, by rank; all must call it."""
        if self.count == 1:
            return [own]
        found: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(found, own)
        return found

    def together(self, own: Sequence[T]) -> list[T]:
        """What they give, one behind the other; all must call it."""
        return [one for part in self.gathered(list(own)) for one in part]

    @torch.no_grad()
    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Makes each gradient the sum of theirs; all must call it."""
        if self.count == 1:
            return
        for one in parameters:
            if one.grad is None:  # this one had nothing to learn from
                one.grad = torch.zeros_like(one)
            torch.distributed.all_reduce(one.grad)

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            torch.distributed.barrier()

    def require_same(self, value: object, what: str) -> None:
        """Refuses to go on where they differ in what they must have in common.

        Raises:
            ModelError: in each of them.
        """
        found = self.gathered(value)
        if any(one != found[0] for one in found):
            raise ModelError(
                f"the processes that train together differ in {what}: {', '.join(map(str, found))}",
                "start all with the same recipe, model and folder; several machines need a shared one",
            )


def join(device: torch.device) -> Processes:
    """Those that were started together; alone if this one was started as any program.

    Args:
        device: of the model: the CPU's exchange over gloo, others as accelerate has it.
    """
    if int(os.environ.get(COUNT) or 1) < 2:
        return Processes()
    from accelerate import PartialState

    state = PartialState(cpu=device.type == "cpu")
    return Processes(state.process_index, state.num_processes)


class Orders:
    """From the process that leads to all others; each must make one, at the same time."""

    def __init__(self, processes: Processes) -> None:
        self._group = None
        if processes.count > 1:
            self._group = torch.distributed.new_group(backend="gloo", timeout=WAITING)

    def tell(self, said: T) -> T:
        """What the one that leads says, in all of them; all must call it.

        Raises:
            ModelError: it has ended, or says nothing.
        """
        if self._group is None:
            return said
        told = [said]
        try:
            torch.distributed.broadcast_object_list(told, src=0, group=self._group)
        except RuntimeError as error:
            raise ModelError(
                f"the process that leads this training has ended, or said nothing for {WAITING}: "
                f"{str(error).splitlines()[0][:200]}",
                "what it said last tells why; then start all again: what is done is kept",
            ) from None
        return told[0]
