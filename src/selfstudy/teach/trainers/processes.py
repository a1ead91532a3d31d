"""The processes that train one model together, each on answers of its own: one, or what accelerate starts.

Started by `accelerate launch` (or torchrun) each has all weights, answers its share of the questions of a
step, and takes the same step as all others, since gradients are summed.  If one ends, all do, and say so
(lifelines.py).  Knows nothing of what is trained.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar, cast

import torch

from selfstudy.errors import ModelError
from selfstudy.teach.launch import launch
from selfstudy.teach.trainers import lifelines

T = TypeVar("T")
COUNT = "WORLD_SIZE"
"""How who starts several says how many there are."""
WAITING = timedelta(hours=24)
"""How long one waits for what another says, which may ask models for hours meanwhile; while it is there."""


@dataclass(frozen=True)
class Processes:
    """All of them, as one sees them; without arguments one process that is alone, and for which all is local.

    Attributes:
        rank: which this one is, from 0.
        group: through which they tell each other what is no tensor.
    """

    rank: int = 0
    count: int = 1
    group: Any = field(default=None, repr=False, compare=False)

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
        torch.distributed.all_gather_object(found, own, group=self.group)
        return found

    def told(self, said: T) -> T:
        """What the one that leads says, in all of them; all must call it."""
        if self.count == 1:
            return said
        told = [said]
        torch.distributed.broadcast_object_list(told, src=0, group=self.group)
        return told[0]

    def led(self, work: Callable[[], T]) -> T:
        """What comes of it in the one that leads, which alone does it; all must call it.

        Raises:
            ModelError: of that one, in all of them: what they train may be left out for it.
        """
        if self.count == 1:
            return work()
        found, failed = None, None
        if self.is_main:
            try:
                found = work()
            except ModelError as error:
                failed = error
        found, why = self.told((found, None if failed is None else (failed.what, failed.hint)))
        if why is not None:
            raise failed or ModelError(*why)
        return cast(T, found)

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
            torch.distributed.barrier(group=self.group)

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

    @contextmanager
    def tied(self) -> Iterator[None]:
        """While they work together: where one ends before that, all do; all must call it.

        Raises:
            LostProcessError: which one has ended, and why if it said so.
        """
        if self.count == 1:
            yield
            return
        lines = lifelines.tie(self.rank, self.count, launch().here, self.told)
        try:
            lines.watch()
            yield
        except BaseException as error:
            # a collective fails at once where another process is gone, and says nothing that tells which
            gone = lines.why(soon=isinstance(error, RuntimeError))
            lines.end(gone or f"{type(error).__name__}: {error}")
            own = (ModelError, lifelines.LostProcessError)
            if gone and isinstance(error, Exception) and not isinstance(error, own):
                raise lifelines.parted(gone) from None
            raise
        lines.end()


def join(device: torch.device) -> Processes:
    """Those that were started together; alone if this one was started as any program.

    Args:
        device: of the model: the CPU's exchange over gloo, others as accelerate has it.
    """
    if int(os.environ.get(COUNT) or 1) < 2:
        return Processes()
    return _joined(device.type == "cpu")


@cache
def _joined(cpu: bool) -> Processes:
    """Once in a process, for all must make the group at the same time."""
    from accelerate import PartialState

    state = PartialState(cpu=cpu)
    group = torch.distributed.new_group(backend="gloo", timeout=WAITING)
    return Processes(state.process_index, state.num_processes, group)
