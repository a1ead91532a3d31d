"""How many requests are under way at once: more while the server is fast, half as many when it is not.

Additive increase, multiplicative decrease, as TCP does it (Jacobson 1988), for one asyncio loop.  Knows
nothing of requests; whoever sends one enters before and leaves after.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal

LoadSignal = Literal["good", "slow", "neither"]
"""What a request says about the server: it answered; it asks for less (429, 503, a timeout); nothing."""

_START = 8.0
_REGROWTH = 0.9
"""Share of the number that was too much up to which it grows back at once."""
_PROBING = 0.05
"""Growth per round trip beyond the knee, times the round trips since the last cut: a long calm is tested
ever faster, and a server that refuses at a fixed number is kept close below it."""
_SMOOTH = 0.1
"""Weight of the newest latency in the running mean."""


class Limiter:
    """Lets at most `limit` requests run, in the order in which they ask.

    Args:
        most: the limit never grows beyond it.
        patience: seconds; a server that takes longer on average has enough to do.
    """

    def __init__(self, most: int, patience: float = float("inf")) -> None:
        self._patience = patience
        self._most = float(most)
        self._limit = min(_START, self._most)
        self._threshold = self._most
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resume = 0.0
        self._cut = 0.0
        self._latency: float | None = None

    @property
    def limit(self) -> int:
        """Requests that may be under way now."""
        return int(self._limit)

    async def enter(self) -> float:
        """Waits for a place; returns the time (of the loop) at which it was given, for `leave`."""
        loop = asyncio.get_running_loop()
        if self._waiting or not self._free(loop.time()):
            place: asyncio.Future[None] = loop.create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():  # given and cancelled in the same turn
                    self._running -= 1
                    self._wake()
                raise
        else:
            self._running += 1
        return loop.time()

    def leave(self, since: float, verdict: LoadSignal, pause: float = 0.0) -> None:
        """Gives a place back.

        Args:
            since: what `enter` returned.
            verdict: what came of the request.
            pause: seconds for which the server wants no further request (Retry-After).
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if verdict == "good":
            self._grow(now, now - since)
        elif verdict == "slow" and since >= self._cut:  # the others of the same burst say nothing new
            self._threshold = self._limit * _REGROWTH
            self._limit = max(1.0, self._limit / 2)
            self._cut = now
        self._running -= 1
        if now + pause > self._resume and pause > 0:
            self._resume = now + pause
            loop.call_at(self._resume, self._wake)
        self._wake()

    def _grow(self, now: float, latency: float) -> None:
        known = self._latency
        self._latency = latency if known is None else known + _SMOOTH * (latency - known)
        if self._latency > self._patience or self._running < self.limit:
            return
        if self._limit < self._threshold:
            self._limit += 1.0
        else:
            trips = 1.0 + (now - self._cut) / max(self._latency, 1e-6)
            self._limit += min(1.0, _PROBING * trips / self._limit)
        self._limit = min(self._limit, self._most)

    def _free(self, now: float) -> bool:
        return self._running < self.limit and now >= self._resume

    def _wake(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._waiting and self._free(now):
            place = self._waiting.popleft()
            if not place.done():
                self._running += 1
                place.set_result(None)
