"""A real server in a thread, for as long as a block runs; and models that answer as a test wants them to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from selfstudy.models.base import Progress, Route, Sampling, StopListening, Token
from selfstudy.records import Chat, Completion
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.offer import BASE, ROUTED, ModelSource, Offer, Responder
from selfstudy.serve.server import ApiServer


@dataclass
class Fixed(ModelSource):
    """Offers that a test has made; with each `load` the next, and the last one from then on."""

    place: str = "fixed"
    offers: list[Offer] = field(default_factory=list)
    loads: int = 0

    def state(self) -> str:
        return self.offers[min(self.loads, len(self.offers) - 1)].state

    def load(self) -> Offer:
        self.loads += 1
        return self.offers[min(self.loads, len(self.offers)) - 1]


def fixed(*offers: Offer) -> Fixed:
    return Fixed(offers=list(offers))


@contextmanager
def serving(source: ModelSource, **options: Any) -> Iterator[ApiServer]:
    """A server on a port that is free."""
    server = ApiServer(source, **{"port": 0, "limits": RequestLimits(grace=5), **options})
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.running)
    try:
        yield server
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"


def wait_until(done: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits until something is so."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.002)


class Echo:
    """Says of each chat which adapter it is answered with and what its last turn was, word by word.

    Attributes:
        batches: the adapters of each call.
        open: answers stop before their last word until it is set.
    """

    name = "echo"
    context = 1000
    adapters = ("fiji-00000001", "togo-00000002")

    def __init__(self) -> None:
        self.batches: list[list[str | None]] = []
        self.samplings: list[Sampling] = []
        self.open = threading.Event()
        self.open.set()
        self.heard_of: list[str] = []

    def answer(self, chat: Chat, adapter: str | None) -> str:
        return f"{adapter or 'base'} heard: {chat[-1].content}"

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        return self.generate_as(chats, [None] * len(chats), sampling, progress)

    def generate_as(
        self,
        chats: Sequence[Chat],
        adapters: Sequence[str | None],
        sampling: Sampling,
        progress: Progress | None = None,
        heard: Sequence[Callable[[str], object] | None] = (),
        settled: Callable[[int, list[Completion]], object] | None = None,
    ) -> list[list[Completion]]:
        self.batches.append(list(adapters))
        self.samplings.append(sampling)
        if any("poison" in chat[-1].content for chat in chats):
            raise RuntimeError("poison")
        answers = [self.answer(chat, adapter) for chat, adapter in zip(chats, adapters, strict=True)]
        left: set[int] = set()
        self._say(heard, answers, left)
        while not self.open.wait(0.005) and len(left) < len(answers):
            self._say(heard, answers, left)
        self.heard_of += [text for at, text in enumerate(answers) if at not in left]
        found = [[Completion(text=text, tokens=len(text.split()))] * sampling.n for text in answers]
        for at, row in enumerate(found):
            if settled is not None:
                settled(at, row)
        return found

    @staticmethod
    def _say(heard: Sequence[Callable[[str], object] | None], answers: Sequence[str], left: set[int]) -> None:
        """All but the last word of each, to who still listens."""
        for at, (listener, text) in enumerate(zip(heard, answers, strict=bool(heard))):
            if listener is not None and at not in left:
                try:
                    listener(text.rpartition(" ")[0])
                except StopListening:
                    left.add(at)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        return [[-0.5] * len(text.split()) for text in texts]

    def logprobs_as(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None]
    ) -> list[list[float]]:
        return self.logprobs(chats, texts)

    def token_logprobs(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None], top: int = 0
    ) -> list[list[Token]]:
        def tokens(text: str) -> list[Token]:
            words = text.split(" ")
            parts = [word if at == 0 else f" {word}" for at, word in enumerate(words)]
            return [Token(part, -0.5, ((part, -0.5), (" other", -1.5))[:top]) for part in parts]

        return [tokens(text) for text in texts]

    def route(self, chats: Sequence[Chat]) -> list[Route]:
        """By the country that is named."""
        found = []
        for chat in chats:
            named = [name for name in self.adapters if name.partition("-")[0] in chat[-1].content.lower()]
            found.append(
                Route(named[0] if named else None, 0.9 if named else 0.1, 0.2, "q1" if named else "")
            )
        return found


class Plain:
    """As `Echo`, of a model that has no adapters and is not heard."""

    name = "plain"

    def __init__(self, said: str = "plain") -> None:
        self.said = said
        self.batches: list[int] = []
        self.open = threading.Event()
        self.open.set()

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self.batches.append(len(chats))
        self.open.wait(10)
        return [
            [Completion(text=f"{self.said}: {chat[-1].content}", tokens=3)] * sampling.n for chat in chats
        ]

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        return [[-0.5] for _ in texts]


def routed_offer(lm: Echo, state: str = "") -> Offer:
    """What a run with adapters and a router serves."""
    named = {name: Responder(lm, name, label=name) for name in lm.adapters}
    return Offer({ROUTED: Responder(lm, routed=True), BASE: Responder(lm), **named}, state=state)


def plain_offer(lm: Any, state: str = "") -> Offer:
    """What a model by itself is served as."""
    return Offer({BASE: Responder(lm)}, state=state)
