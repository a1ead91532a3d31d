"""Which part of a shared call is to be computed next, after what failed and was lost: bookkeeping, no more.

A unit is tried whole on one worker after the other; when it has failed often enough it is halved, and its
halves are halved again at their first failure, until an item stands alone.  So one item that brings down
whatever computes it costs a few workers, not all its neighbours, and never a unit of the results.  Knows no
workers but their numbers, and nothing of how they are asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from selfstudy.models.remote.usage import Usage
from selfstudy.models.workers import Done, Lost

RAISED_TRIES = 2
"""Of what a model raises an error at: it would do so anywhere, and is asked elsewhere only to be sure."""


@dataclass(slots=True, eq=False)
class UnitPart:
    """Items of one unit that are computed together: all of them, or what halving has left.

    Attributes:
        unit: its place among those of the call.
        start: of its first item in the unit.
        tries: how often it has failed.
        failed_on: the workers on which it, or what it is a half of, has failed.
    """

    unit: int
    start: int
    items: Sequence[Any]
    tries: int = 0
    failed_on: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Open:
    """A unit of which a part has been taken."""

    results: list[Any]
    missing: int
    usage: Usage | None = None


class Sharing:
    """The units of one call: taken in parts, and given back done, failed or untouched."""

    def __init__(self, units: Sequence[Sequence[Any]], tries: int) -> None:
        self._units = units
        self._tries = tries
        self._next = 0
        self._again: deque[UnitPart] = deque()
        self._open: dict[int, _Open] = {}
        self.fruitless = 0
        """Failures since anything was last done."""
        self.succeeded = False
        """Whether anything ever was."""

    @property
    def finished(self) -> bool:
        return not self.waiting and not self._open

    @property
    def waiting(self) -> int:
        """Parts that nobody works at; more may come of those that somebody does."""
        return len(self._again) + len(self._units) - self._next

    def take(self, worker: int, others: Collection[int], *, fresh: bool = False) -> UnitPart | None:
        """The part that a worker is to compute next; None: there is none for it.

        Args:
            others: all that could take a part; what has failed on this one is left to those on which it has
                not.
            fresh: only what nobody has had before.
        """
        for place, part in enumerate(self._again):
            if fresh:
                break
            if worker not in part.failed_on or part.failed_on.issuperset(others):
                del self._again[place]
                return part
        if self._next == len(self._units):
            return None
        number, items = self._next, self._units[self._next]
        self._next += 1
        self._open[number] = _Open([None] * len(items), len(items))
        return UnitPart(number, 0, items)

    def give_back(self, part: UnitPart) -> None:
        """It was taken, but nobody began with it."""
        self._again.appendleft(part)

    def done(self, part: UnitPart, results: Sequence[Any], usage: Usage | None) -> Done | None:
        """The unit, if this was the last that was missing of it."""
        self.fruitless, self.succeeded = 0, True
        return self._put(part, results, usage)

    def failed(self, part: UnitPart, worker: int, error: str, *, raised: bool) -> Done | None:
        """It is tried elsewhere, or halved; an item that has failed alone is `Lost`, which may end its unit.

        Args:
            raised: the model has answered with an error, so that nothing speaks against the worker.
        """
        self.fruitless += 1
        halved = part.start > 0 or len(part.items) < len(self._units[part.unit])
        alone = len(part.items) < 2
        part.tries += 1
        part.failed_on.add(worker)
        allowed = min(self._tries, RAISED_TRIES) if raised else self._tries
        if part.tries < allowed and (alone or not halved):
            self._again.append(part)
            return None
        if alone:
            times = "once" if part.tries == 1 else f"{part.tries} times"
            lost = Lost(f"failed {times} alone, in the end because {error}")
            return self._put(part, [lost] * len(part.items), None)
        middle = len(part.items) // 2
        for start, items in ((0, part.items[:middle]), (middle, part.items[middle:])):
            self._again.append(UnitPart(part.unit, part.start + start, items, failed_on={worker}))
        return None

    def _put(self, part: UnitPart, results: Sequence[Any], usage: Usage | None) -> Done | None:
        unit = self._open[part.unit]
        unit.results[part.start : part.start + len(part.items)] = results
        unit.missing -= len(part.items)
        if usage is not None:
            unit.usage = usage if unit.usage is None else unit.usage + usage
        if unit.missing:
            return None
        del self._open[part.unit]
        return Done(part.unit, unit.results, unit.usage)
