"""Workers that are looked at while they work: CPU seconds of everybody, and where the time of a run goes."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from selfstudy.models.workers import Done, ModelSpec, Workers


def cpu_of_workers() -> dict[int, float]:
    """CPU seconds so far of each worker that this process has started, by its number."""
    found = {}
    for process in psutil.Process(os.getpid()).children(recursive=True):
        try:
            if "SelfstudyWorker" in " ".join(process.cmdline()):
                times = process.cpu_times()
                found[process.pid] = times.user + times.system
        except psutil.Error:
            continue
    return found


def cpu_of_ray() -> float:
    """The same of all that Ray itself runs here: its scheduler, its store, its metadata."""
    total = 0.0
    for process in psutil.Process(os.getpid()).children(recursive=True):
        try:
            if "SelfstudyWorker" not in " ".join(process.cmdline()):
                times = process.cpu_times()
                total += times.user + times.system
        except psutil.Error:
            continue
    return total


@dataclass
class Spent:
    """Of one method.

    Attributes:
        calls, units, items: how many.
        seconds: by the clock, in which workers were waited for.
    """

    calls: int = 0
    units: int = 0
    items: int = 0
    seconds: float = 0.0


@dataclass
class Watched:
    """`Workers` that are not ended with a study, and of which is written down what they were asked."""

    workers: Workers
    spent: dict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))

    @property
    def count(self) -> int:
        return self.workers.count

    def call(self, spec: ModelSpec, method: str, *arguments: Any) -> Any:
        begun = time.perf_counter()
        found = self.workers.call(spec, method, *arguments)
        self._note(method, 1, 1, time.perf_counter() - begun)
        return found

    def share(
        self, spec: ModelSpec, method: str, units: Sequence[Sequence[Any]], *common: Any
    ) -> Iterator[Done]:
        begun, waited = time.perf_counter(), 0.0
        for done in self.workers.share(spec, method, units, *common):
            waited += time.perf_counter() - begun
            yield done
            begun = time.perf_counter()
        waited += time.perf_counter() - begun
        self._note(method, len(units), sum(map(len, units)), waited)

    def forget(self, spec: ModelSpec) -> None:
        """They stay warm."""

    def close(self) -> None:
        """Somebody else's business."""

    def _note(self, method: str, units: int, items: int, seconds: float) -> None:
        found = self.spent[method]
        found.calls += 1
        found.units += units
        found.items += items
        found.seconds += seconds
