"""A request under way: what the thread of the model and the loop of the network tell each other of it.

The thread only ever replaces what is there, above all the text so far; whoever sends it takes what is new
since he last looked.  So a slow reader holds one text, however long he takes, and nobody waits for him.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from selfstudy.models.base import Route, Sampling, Token
from selfstudy.records import Chat, Completion
from selfstudy.serve.api_error import ApiError, gone, too_late
from selfstudy.serve.asked import AskedChat
from selfstudy.serve.offer import Offer, Responder


class WrittenAnswer(NamedTuple):
    """An answer that is complete: the completions, and the tokens of each if they were asked for."""

    completions: list[Completion]
    tokens: list[list[Token]] | None


class Ticket:
    """One request, from when it is in order until it is answered or refused.

    Attributes:
        chat: as the model is asked it.
        started: whether it is known who answers.
        label: who that is, once it is known.
        text: the first answer, as far as it is written.
        written: the whole, once it is.
        refused: why there is none.
        cancelled: nobody waits for it any more.
    """

    def __init__(self, asked: AskedChat, offer: Offer, seconds: float) -> None:
        """Must be made in the loop that waits for it.

        Raises:
            ApiError: the offer has no such model.
        """
        self.asked = asked
        self.choice: Responder = offer.find(asked.model)
        self.offer = offer
        self.chat: Chat
        self.chat, self.penalty = offer.put(asked.chat)
        self.came = time.monotonic()
        self.started = self.cancelled = False
        self.label = self.choice.label
        self.route: Route | None = None
        self.adapter = self.choice.adapter
        self.prompt_tokens = 0
        self.text = ""
        self.written: WrittenAnswer | None = None
        self.refused: ApiError | None = None
        self.waited = 0.0
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._told = False

    @property
    def over(self) -> bool:
        return self.written is not None or self.refused is not None

    def sampling(self, seed: int) -> Sampling:
        """How it is answered.

        Args:
            seed: if it names none.
        """
        asked = self.asked
        greedy = asked.temperature == 0
        return Sampling(
            n=asked.n,
            temperature=asked.temperature,
            max_new_tokens=asked.new_tokens,
            repetition_penalty=self.penalty,
            top_p=1.0 if greedy else asked.top_p,
            stop=asked.stop,
            seed=0 if greedy else seed if asked.seed is None else asked.seed,
        )

    # the thread of the model

    def begin(self, prompt_tokens: int, route: Route | None) -> None:
        """It is known who answers."""
        self.waited = time.monotonic() - self.came
        self.prompt_tokens = prompt_tokens
        if route is not None:
            self.route, self.adapter, self.label = route, route.adapter, route.adapter or ""
        self.started = True
        self._tell()

    def hear(self, text: str) -> bool:
        """The first answer so far; whether anybody still waits for it."""
        self.text = text
        self._tell()
        return not self.cancelled

    def finish(self, completions: Sequence[Completion], tokens: list[list[Token]] | None) -> None:
        self.written = WrittenAnswer(list(completions), tokens)
        self._tell()

    def refuse(self, error: ApiError) -> None:
        if not self.over:
            self.refused = error
            self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._changed.set)

    # the loop of the network

    def cancel(self) -> None:
        """The client is gone."""
        self.cancelled = True
        self.refuse(gone())

    async def news(self) -> None:
        """Waits until there is something new.

        Raises:
            ApiError: there will be no answer, or none in time.
        """
        if not self.over:
            left = self._seconds - (time.monotonic() - self.came)
            try:
                async with asyncio.timeout(max(0.0, left)):
                    await self._changed.wait()
            except TimeoutError:
                self.cancelled = True
                self.refuse(too_late(self._seconds))
            self._changed.clear()
            self._told = False
        if self.refused is not None:
            raise self.refused

    async def start(self) -> None:
        """Waits until it is known who answers; raises as `news`."""
        while not self.started:
            await self.news()

    async def finished(self) -> WrittenAnswer:
        """Waits for the whole answer; raises as `news`."""
        while self.written is None:
            await self.news()
        return self.written
