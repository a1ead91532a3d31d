"""Servers: the engines that stand, how many at most, and who ends them.

    with Servers(limit=2) as servers:
        lm = load_lm(block, servers=servers)

Whoever loads models makes one, hands it to all of them and closes it; if it is forgotten, it closes itself
with the last model that uses it, and at exit.  Knows processes; nothing of what they are asked.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfstudy.errors import ModelError
from selfstudy.models.server import leftovers

if TYPE_CHECKING:
    from types import TracebackType

    from selfstudy.models.server.process import Server


class NotStartedError(ModelError):
    """An engine ended before it answered, or did not answer in time."""


@dataclass(frozen=True)
class Served:
    """What an engine serves: two models that agree in it are served by one engine, one at a time.

    Attributes:
        name: what people are told; two of different names may be the same.
        engine, model, revision, args, port: as the recipe has them; args as JSON.
        weights: what can be trained: a folder or Hub id.
    """

    name: str = field(compare=False)
    engine: str
    model: str
    revision: str | None
    args: str
    port: int | None
    weights: str


@dataclass(frozen=True)
class _Standing:
    server: Server
    variant: str


class Servers:
    """At most `limit` engines at once; the one that was not asked for longest makes room for another.

    Attributes:
        limit: most engines at once.  If one does not start beside others, as many as stood then are the
            limit from there on: so much memory there is.
        say: told in one line what is started or ended, which may take minutes.
    """

    def __init__(self, limit: int = 1, say: Callable[[str], object] = lambda text: None) -> None:
        leftovers.sweep()
        self.say = say
        self.limit = limit
        self._standing: dict[Served, _Standing] = {}  # the one that was asked last is last
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._close = weakref.finalize(self, _end_forgotten, self._standing, self._owner)

    @contextmanager
    def asking(self, served: Served, variant: str, start: Callable[[], Server]) -> Iterator[Server]:
        """An engine that runs, and is not ended by others while the block lasts.

        Args:
            variant: which weights it has loaded; another one takes the place of the one that stands.
            start: starts it, and returns when it answers.

        Raises:
            ModelError: it cannot be started.
        """
        with self._lock:
            found = self._standing.pop(served, None)
            if found is not None and (found.variant != variant or not found.server.holds_port):
                _end(found.server)
                found = None
            self._standing[served] = found or _Standing(self._started(served, start), variant)
            yield self._standing[served].server

    def stop(self, weights: str) -> None:
        """Ends the engines that serve these weights, so that there is room to train them."""
        with self._lock:
            for served in [one for one in self._standing if one.weights == weights]:
                _end(self._standing.pop(served).server)

    def close(self) -> None:
        """Ends all of them; asking again starts again."""
        with self._lock:
            _end_all(self._standing, self._owner)

    def __enter__(self) -> Servers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self, served: Served, start: Callable[[], Server]) -> Server:
        for other in [one for one in self._standing if one.port is not None and one.port == served.port]:
            _end(self._standing.pop(other).server)
        while True:
            while len(self._standing) >= self.limit:
                oldest = next(iter(self._standing))
                self.say(f"stopping {oldest.name}, to make room")
                _end(self._standing.pop(oldest).server)
            self.say(f"starting {served.name}")
            began = time.monotonic()
            try:
                server = start()
            except NotStartedError as error:
                if not self._standing:
                    raise
                self.limit = len(self._standing)
                self.say(f"{served.name} does not start beside {self.limit} more: {_reason(error)}")
                continue
            self.say(f"{served.engine} is ready after {time.monotonic() - began:.0f} s")
            return server


def _reason(error: ModelError) -> str:
    """The last line of what the engine said."""
    return error.what.rstrip().splitlines()[-1].strip()


def _end_all(standing: dict[Served, _Standing], owner: int) -> None:
    if os.getpid() != owner:  # a forked child ends nothing of its parent's
        return
    while standing:
        _end(standing.popitem()[1].server)


def _end_forgotten(standing: dict[Served, _Standing], owner: int) -> None:
    """The same at exit, where there is nobody to tell of a Ctrl-C: it only hastens the end."""
    while standing and os.getpid() == owner:
        with suppress(KeyboardInterrupt):
            _end_all(standing, owner)


def _end(server: Server) -> None:
    from selfstudy.models.server.adapters import forget_adapters

    try:
        forget_adapters(server)
    finally:  # a Ctrl-C meanwhile
        server.stop()
