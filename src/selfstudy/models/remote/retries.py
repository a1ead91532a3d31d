"""One request until it is answered: sent again after what passes, without what the server refuses, in time.

Between the HTTP client, which sends once, and the model, which knows what to ask.  What is found out about
the server (a parameter that it refuses) is remembered for all later requests.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from selfstudy.errors import ModelError
from selfstudy.models.remote.concurrency import Limiter, LoadSignal
from selfstudy.models.remote.http import HTTPClient, Trouble
from selfstudy.models.remote.replies import Malformed, tokens_used
from selfstudy.models.remote.usage import Usage
from selfstudy.recipe import RemoteModel

T = TypeVar("T")

log = logging.getLogger(__name__)

BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
"""Seconds: before try k + 1 a random time up to BACKOFF * 2^k ("full jitter", Brooker 2015)."""
_UNREACHABLE_TRIES = 6
"""Connections tried to a server that never answered anything; later the item's deadline counts."""
_MALFORMED_TRIES = 3
_BROKEN_TRIES = 6
_LOST = 3
"""Items in a row that are given up after _BROKEN_TRIES; beyond it the server is at fault, and waited for."""
_NEEDED = frozenset({"model", "messages", "prompt", "echo", "temperature", "n"})
"""Anything else is left out where a server refuses it (`stop` is applied to the reply in any case)."""
_RENAMED = {"max_tokens": "max_completion_tokens"}
"""What newer servers want under another name."""


class OneAtATime(Exception):  # noqa: N818 - it is no error, but an answer
    """The server refuses `n`."""


class Retries:
    """Calls to one server, in one asyncio loop.

    Attributes:
        met: whether the server has answered anything that was no complaint about load.

    Args:
        alive: whether there is any point in trying again.
    """

    def __init__(
        self, block: RemoteModel, http_client: HTTPClient, alive: Callable[[], bool] = lambda: True
    ) -> None:
        self.met = False
        self._alive = alive
        self._block = block
        self._http_client = http_client
        self._limiter = Limiter(block.concurrency, block.read_timeout / 4)
        self._without: frozenset[str] = frozenset()
        self._answered = float("-inf")
        self._succeeded = False
        self._lost = 0
        """Items given up since something was answered last, because the server fails at them."""
        self._random = random.Random()
        self._lock = threading.Lock()
        self._usage = Usage(currency=block.prices.currency if block.prices else "")

    @property
    def usage(self) -> Usage:
        """What was asked for so far."""
        return self._usage

    @property
    def left_out(self) -> frozenset[str]:
        """The parameters that the server refuses, by their first names."""
        return self._without

    def count(
        self, calls: int = 0, tokens: tuple[int, int] = (0, 0), cached: int = 0, completions: int = 0
    ) -> None:
        """Adds to `usage`; from any thread."""
        prices = self._block.prices
        cost = (tokens[0] * prices.prompt + tokens[1] * prices.completion) / 1e6 if prices else 0.0
        with self._lock:
            old = self._usage
            self._usage = Usage(
                old.calls + calls,
                old.prompt_tokens + tokens[0],
                old.completion_tokens + tokens[1],
                old.cached + cached,
                old.cost + cost,
                old.currency,
                old.completions + completions,
            )

    async def call(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        """What `read` makes of the reply to a POST of `body` to `path`.

        Raises:
            Trouble: the item has no answer: it was refused, never made sense, or its deadline passed.
            OneAtATime: the server refuses the parameter `n`.
            ModelError: no item will have one.
        """
        now = asyncio.get_running_loop().time
        without: frozenset[str] = frozenset()
        began: float | None = None
        kinds: dict[str, int] = {}
        while True:
            since = await self._enter(began)
            began = since if began is None else began
            verdict: LoadSignal = "neither"
            pause = 0.0
            try:
                left = began + self._block.deadline - since
                self.count(calls=1)
                reply = await self._http_client.post(
                    path, self._sent(body, without), min(left, self._block.total_timeout)
                )
                verdict = "good"
                self.met, self._answered = True, now()
                self._succeeded, self._lost = True, 0
                self.count(tokens=tokens_used(reply))
                result = read(reply)
                self._remember(without)
                return result
            except Malformed as error:
                trouble = Trouble("malformed", str(error))
            except Trouble as error:
                trouble, verdict, pause = _bare(error), error.verdict, error.pause
            finally:
                self._limiter.leave(since, verdict, min(pause, self._block.deadline))
            if trouble.kind == "refused":
                self.met, self._answered = True, now()
                without |= {self._culprit(trouble, body, without)}
                continue
            kinds[trouble.kind] = kinds.get(trouble.kind, 0) + 1
            await self._back_off(trouble, kinds, began)

    async def _enter(self, began: float | None) -> float:
        """A place at the server; an item that has begun waits for it until its deadline at most."""
        if began is None:
            return await self._limiter.enter()
        try:
            async with asyncio.timeout_at(began + self._block.deadline):
                return await self._limiter.enter()
        except TimeoutError:
            raise self._given_up(Trouble("again", "the server wants no more requests"), began) from None

    async def _back_off(self, trouble: Trouble, kinds: Mapping[str, int], began: float) -> None:
        """Waits before the next try, if there is to be one."""
        block = self._block
        if not self._alive():
            raise ModelError(f"the server at {block.base_url} has ended: {trouble}", "start it again")
        if trouble.kind == "malformed" and kinds["malformed"] >= _MALFORMED_TRIES:
            raise trouble
        if kinds.get("broken", 0) >= _BROKEN_TRIES and self._lost < _LOST:
            self._lost += 1
            raise trouble
        if trouble.kind == "unreachable" and not self.met and kinds["unreachable"] >= _UNREACHABLE_TRIES:
            raise ModelError(
                f"no server answers at {block.base_url}: {trouble}",
                "start it, or fix base_url; the same command then goes on",
            )
        if trouble.pause > block.deadline:
            raise ModelError(
                f"{block.model} at {block.base_url} wants no request for {trouble.pause:.0f} s: {trouble}",
                "give the same command again then, or set a longer deadline",
            )
        tries = sum(kinds.values())
        wait = trouble.pause + self._random.uniform(
            0, min(LONGEST_BACKOFF, BACKOFF * 2 ** min(tries - 1, 20))
        )
        if asyncio.get_running_loop().time() + wait > began + block.deadline:
            raise self._given_up(trouble, began)
        await asyncio.sleep(wait)

    def _given_up(self, trouble: Trouble, began: float) -> Trouble | ModelError:
        """An item out of time; the whole model if nothing else was answered in that time either."""
        block = self._block
        if self._answered < began:
            return ModelError(
                f"{block.model} at {block.base_url} has answered nothing for {block.deadline:g} s: {trouble}",
                "see whether the server still runs; the same command then goes on",
            )
        return Trouble(trouble.kind, f"no answer within {block.deadline:g} s; at last: {trouble}")

    def _sent(self, body: Mapping[str, Any], without: frozenset[str]) -> dict[str, Any]:
        """`body` as this server wants it."""
        without |= self._without
        sent = {}
        for name, value in body.items():
            if name not in without:
                sent[name] = value
            elif name in _RENAMED:
                sent[_RENAMED[name]] = value
        return sent

    def _culprit(self, trouble: Trouble, body: Mapping[str, Any], without: frozenset[str]) -> str:
        """The parameter without which the request is worth another try.

        Raises:
            Trouble: there is none.
            OneAtATime: it is `n`.
            ModelError: it cannot be done without.
        """
        gone = without | self._without

        def blamed(name: str) -> bool:
            return name in body and name not in gone and _mentions(trouble, name)

        if blamed("n"):
            raise OneAtATime
        for name in body:  # before temperature: some take either that or top_p, and name both
            if name not in _NEEDED and blamed(name):
                return name
        if blamed("temperature") and not self._succeeded:
            raise ModelError(
                f"{self._block.model} refuses temperature {body['temperature']:g}: {trouble}",
                "greedy passages and samples need it: give a model that lets temperature be chosen",
            )
        raise trouble

    def _remember(self, without: frozenset[str]) -> None:
        """A request went through without these: the others need not try."""
        for name in sorted(without - self._without):
            if name not in _RENAMED:
                log.warning("%s refuses the parameter %s: going on without it", self._block.model, name)
        self._without |= without


def _bare(trouble: Trouble) -> Trouble:
    """Without the frames and errors that it came through, which hold the whole reply while this waits."""
    trouble.__context__ = None
    return trouble.with_traceback(None)


def _mentions(trouble: Trouble, name: str) -> bool:
    """Whether a refusal is about the parameter `name`: named as such, quoted, or called unsupported."""
    if trouble.parameter:
        return re.search(rf"\b{name}\b", trouble.parameter) is not None
    word = re.escape(name)
    about = (
        rf"""['"`]{word}['"`]|\b{word}\s*(=|>|:|must|is\b|should|parameter)|(parameter|argument)\W+{word}\b"""
    )
    return re.search(about, trouble.detail) is not None
