"""Workers without processes, for tests: units are done in any order, and some may be lost."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from selfstudy.models.worker import Worker
from selfstudy.models.workers import Done, Lost, ModelSpec


class InProcess:
    """`count` workers in this process; fulfils `workers.Workers`.

    Args:
        shuffled: a seed for the order in which units are done, and for who does them.
        loses: of which items there is no result.
    """

    def __init__(
        self, count: int, shuffled: int | None = None, loses: Callable[[Any], bool] = lambda item: False
    ) -> None:
        self.count = count
        self.asked: list[tuple[str, int]] = []
        self.forgotten: list[ModelSpec] = []
        self.closed = False
        self._workers = [Worker() for _ in range(count)]
        self._chance = random.Random(shuffled)
        self._shuffles = shuffled is not None
        self.loses = loses

    def call(self, spec: ModelSpec, method: str, *arguments: Any) -> Any:
        found = self._chance.choice(self._workers).call(spec, method, *_sent(arguments))
        return _sent(found)

    def share(
        self, spec: ModelSpec, method: str, units: Sequence[Sequence[Any]], *common: Any
    ) -> Iterator[Done]:
        order = list(range(len(units)))
        if self._shuffles:
            self._chance.shuffle(order)
        for at in order:
            worker = self._chance.choice(self._workers)
            self.asked.append((method, len(units[at])))
            items = list(units[at])
            kept = [item for item in items if not self.loses(item)]
            rows, usage = worker.do(spec, method, _sent(kept), *common) if kept else ([], None)
            found = iter(_sent(rows))
            yield Done(at, [Lost("it was lost") if self.loses(one) else next(found) for one in items], usage)

    def forget(self, spec: ModelSpec) -> None:
        self.forgotten.append(spec)
        for worker in self._workers:
            worker.forget(spec)

    def close(self) -> None:
        self.closed = True


def _sent(what: Any) -> Any:
    """What goes between processes does so as a copy."""
    return pickle.loads(pickle.dumps(what))
