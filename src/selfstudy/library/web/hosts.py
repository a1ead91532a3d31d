"""One request at a time per host, with its delay between two of them, and no waiting for ever.

A host that wants longer waits than we do is given up, and so is one that has failed several times in a row:
a thousand of its pages would each fail as slowly.  Knows nothing of what is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from selfstudy.library.web.fetched import RefusedError

_IN_A_ROW = 3
"""Pages that may fail in one way of `SLOW` before the host is given up."""
SLOW = ("time", "limit")
"""Failures that cost time."""
_REST = 600.0
"""Seconds for which a host is given up."""


@dataclass(slots=True)
class _Host:
    lock: threading.Lock = field(default_factory=threading.Lock)
    free: float = 0.0
    """When the next request may begin."""
    delay: float = 0.0
    """Seconds that its robots.txt asks for."""
    failed: int = 0
    given_up: float = 0.0
    """Until when."""


class Hosts:
    """The hosts that were asked, of one fetcher, by name: ports of one host are one machine.

    Args:
        delay: least seconds between two requests to one host.
        patience: most seconds that one may ask for.
        stop: set when nobody waits any more.
    """

    def __init__(self, delay: float, patience: float, stop: threading.Event) -> None:
        self._delay = delay
        self._patience = patience
        self._stop = stop
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Waits for a host's turn, and holds it.

        Raises:
            RefusedError: it would take too long, or the host is given up, or nobody waits any more.
        """
        host = self._host(name)
        with host.lock:
            wait = self._wait(host, name)
            if self._stop.wait(wait):
                raise RefusedError("limit", "the fetcher was closed")
            try:
                yield
            finally:
                host.free = max(host.free, time.monotonic() + max(self._delay, host.delay))

    def _wait(self, host: _Host, name: str) -> float:
        now = time.monotonic()
        if host.given_up > now:
            raise RefusedError("limit", f"{name} is given up: {_IN_A_ROW} pages in a row took too long")
        wait = max(0.0, host.free - now)
        if wait > max(self._patience, self._delay):
            raise RefusedError(
                "limit",
                f"{name} wants {wait:,.0f} s to pass first, and at most {self._patience:g} s are waited",
            )
        return wait

    def slow_down(self, name: str, delay: float) -> None:
        """Its robots.txt asks for `delay` seconds between two requests."""
        self._host(name).delay = delay

    def pause(self, name: str, seconds: float) -> bool:
        """A host asks for no request within `seconds`; whether that is within our patience."""
        host = self._host(name)
        host.free = max(host.free, time.monotonic() + seconds)
        return seconds <= self._patience

    def tell(self, name: str, why: str) -> None:
        """How a page of a host ended: "" for well."""
        host = self._host(name)
        host.failed = host.failed + 1 if why in SLOW else 0
        if host.failed >= _IN_A_ROW:
            host.failed = 0
            host.given_up = time.monotonic() + _REST

    def _host(self, name: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(name, _Host())
