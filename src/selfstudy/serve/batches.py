"""Requests that wait, and those that are answered together.

The oldest that waits comes next, and with it all others that the same call can answer: of the same model and
sampling, whatever their adapters.  So nobody is passed over.  One thread works with the models; an engine is
asked for all of a batch at once.  Knows nothing of the network.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from secrets import randbits
from typing import Any

from selfstudy.errors import SelfstudyError
from selfstudy.models.base import (
    HasAdapters,
    HasContext,
    LanguageModel,
    Route,
    Routes,
    Sampling,
    ScoresTokens,
    StopListening,
    Streams,
    Token,
    prompt_tokens,
)
from selfstudy.records import Completion
from selfstudy.serve.api_error import ApiError, failed, full, invalid, stopping
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.ticket import Ticket
from selfstudy.text import one_line

LONGEST_TOKEN = 32
"""Characters; a prompt with more than so many for each token that the model reads is not even counted."""


class Batches:
    """The queue of a server and the thread that works it off.

    Args:
        done: told of each request that was answered, in the thread of the model.
        ran: told how many answers were written at a time, and how many seconds that took.
        fault: told what failed where that is no fault of a request.
    """

    def __init__(
        self,
        limits: RequestLimits,
        *,
        done: Callable[[Ticket], object] = lambda ticket: None,
        ran: Callable[[int, float], object] = lambda rows, seconds: None,
        fault: Callable[[BaseException], object] = lambda error: None,
    ) -> None:
        self._limits = limits
        self._done, self._ran, self._fault = done, ran, fault
        self._waiting: list[Ticket] = []
        self._running = 0
        self._pace = 0.1  # seconds that a request has taken lately
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="selfstudy-serve", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """Requests that wait or are being answered."""
        return len(self._waiting) + self._running

    def add(self, ticket: Ticket) -> None:
        """Puts a request into the queue.

        Raises:
            ApiError: too many are waiting, or the server is stopping.
        """
        with self._changed:
            if self._stopping:
                raise stopping()
            if len(self._waiting) >= self._limits.queue:
                raise full(len(self._waiting), max(1, min(60, round(self._pace * len(self._waiting)))))
            self._waiting.append(ticket)
            self._changed.notify()

    def drop(self, ticket: Ticket) -> None:
        """The client is gone: the place of its request is free."""
        with self._changed:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def stop(self) -> None:
        """No more requests are taken; those that are here are still answered."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def end(self, seconds: float = 5.0) -> bool:
        """What still waits is refused; whether the thread has ended by then."""
        self.stop()
        with self._changed:
            left = [*self._waiting]
            self._waiting.clear()
        for ticket in left:
            ticket.refuse(stopping())
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Answers one batch; whether there may be another.  Afterwards nothing of it is held on to."""
        batch = self._next()
        if batch is None:
            return False
        began = time.monotonic()
        try:
            self._answer(batch, randbits(32))
        except BaseException as error:  # the thread must outlive whatever a model does
            self._fault(error)
            for ticket in batch:
                ticket.refuse(_broken())
        taken = time.monotonic() - began
        with self._changed:
            self._running -= len(batch)
            self._pace = 0.8 * self._pace + 0.2 * taken / max(1, len(batch))
        self._ran(sum(ticket.asked.n for ticket in batch), taken)
        return True

    def _next(self) -> list[Ticket] | None:
        """The requests to answer now, after waiting for the first; None: there will be no more."""
        with self._changed:
            while not self._waiting:
                if self._stopping:
                    return None
                self._changed.wait()
            self._gather()
            batch = list(self._together())
            chosen = set(map(id, batch))
            self._waiting = [one for one in self._waiting if id(one) not in chosen]
            self._running += len(batch)
            return batch

    def _gather(self) -> None:
        """Lets those arrive that were sent at the same time as the first."""
        until = self._waiting[0].came + self._limits.gather
        while (left := until - time.monotonic()) > 0 and len(self._waiting) < self._limits.rows:
            self._changed.wait(left)
            if not self._waiting:
                return

    def _together(self) -> Iterator[Ticket]:
        """The oldest that waits, and what goes with it."""
        if not self._waiting:
            return
        first = self._waiting[0]
        rows = 0
        seeded: set[Any] = set()
        for ticket in self._waiting:
            if not _go_together(first, ticket):
                continue
            # a seed means: this answer; a second time in one batch would be the next one
            if ticket.asked.seed is not None and ticket.chat in seeded:
                continue
            seeded.add(ticket.chat)
            rows += ticket.asked.n
            if rows > self._limits.rows and ticket is not first:
                return
            yield ticket

    def _answer(self, batch: Sequence[Ticket], seed: int) -> None:
        if not batch:
            return
        lm = batch[0].choice.lm
        asked = list(_admitted(lm, batch))
        if not asked:
            return
        sampling = asked[0].sampling(seed)
        try:
            found = self._generated(lm, asked, sampling)
        except SelfstudyError as error:
            for ticket in asked:
                ticket.refuse(failed(one_line(str(error), 500)))
            return
        except Exception:
            if len(asked) == 1:
                raise
            for ticket in asked:  # one of them may be the cause: the others are answered, and as they began
                self._answer_alone(ticket, seed)
            return
        tokens = _scored(lm, asked, found)
        for ticket, completions in zip(asked, found, strict=True):
            self._deliver(ticket, completions, tokens.get(id(ticket)))

    def _answer_alone(self, ticket: Ticket, seed: int) -> None:
        try:
            self._answer([ticket], seed)
        except Exception as error:
            self._fault(error)
            ticket.refuse(_broken())

    def _generated(
        self, lm: LanguageModel, asked: Sequence[Ticket], sampling: Sampling
    ) -> list[list[Completion]]:
        """The completions of each; whoever can have his before the others are done gets them then."""

        def listener(ticket: Ticket) -> Callable[[str], None]:
            def heard(text: str) -> None:
                if not ticket.hear(text):
                    raise StopListening

            return heard

        def settled(index: int, completions: list[Completion]) -> None:
            if not asked[index].asked.logprobs:
                self._deliver(asked[index], completions, None)

        chats = [ticket.chat for ticket in asked]
        if isinstance(lm, HasAdapters):
            adapters, heard = [ticket.adapter for ticket in asked], [listener(ticket) for ticket in asked]
            return lm.generate_as(chats, adapters, sampling, heard=heard, settled=settled)
        if len(asked) == 1 and sampling.total == 1 and isinstance(lm, Streams):
            return [[lm.stream(chats[0], sampling, listener(asked[0]))]]
        return lm.generate(chats, sampling)

    def _deliver(
        self, ticket: Ticket, completions: Sequence[Completion], tokens: list[list[Token]] | None
    ) -> None:
        """Tells a request its answer, once."""
        if ticket.over or ticket.cancelled:
            return
        wrong = next((one.error for one in completions if one.finish == "error"), None)
        if wrong is not None:
            ticket.refuse(failed(one_line(wrong, 500)))
            return
        ticket.finish(completions, tokens)
        self._tell_of(ticket)

    def _tell_of(self, ticket: Ticket) -> None:
        try:
            self._done(ticket)
        except Exception as error:  # it is answered
            self._fault(error)


def _broken() -> ApiError:
    return failed("the request could not be answered; the server's log says where")


def _go_together(first: Ticket, other: Ticket) -> bool:
    """Whether one call answers both: a model knows one sampling at a time, and one seed."""
    if other.choice.lm is not first.choice.lm or other.sampling(0) != first.sampling(0):
        return False
    return first.asked.temperature == 0 or other.asked.seed == first.asked.seed


def _admitted(lm: LanguageModel, batch: Sequence[Ticket]) -> Iterator[Ticket]:
    """Those of a batch that are still waited for and fit; of each it is settled who answers."""
    fitting: list[tuple[Ticket, int]] = []
    for ticket in batch:
        if ticket.cancelled or ticket.over:
            continue
        if ticket.asked.logprobs and not isinstance(lm, ScoresTokens):
            ticket.refuse(
                invalid("this model gives no log-probabilities of tokens", "logprobs", "unsupported")
            )
            continue
        count = _tokens(lm, ticket)
        if isinstance(count, ApiError):
            ticket.refuse(count)
        else:
            fitting.append((ticket, count))
    routes: dict[int, Route] = {}
    routed = [ticket for ticket, _ in fitting if ticket.choice.routed]
    if routed and isinstance(lm, Routes):
        found = lm.route([ticket.chat for ticket in routed])
        routes = {id(ticket): route for ticket, route in zip(routed, found, strict=True)}
    for ticket, count in fitting:
        ticket.begin(count, routes.get(id(ticket)))
        yield ticket


def _tokens(lm: LanguageModel, ticket: Ticket) -> int | ApiError:
    """Tokens of a prompt, or why it is not read."""
    context = lm.context if isinstance(lm, HasContext) else None
    characters = sum(len(turn.content) for turn in ticket.chat)
    count = None if context and characters > context * LONGEST_TOKEN else prompt_tokens(lm, [ticket.chat])
    if context and (count is None or count >= context):
        said = f"{characters:,} characters" if count is None else f"{count:,} tokens"
        return invalid(
            f"messages have {said}; this model reads {context:,} tokens with its answer",
            "messages",
            "context_length_exceeded",
        )
    return count or 0


def _scored(
    lm: LanguageModel, asked: Sequence[Ticket], found: Sequence[Sequence[Completion]]
) -> dict[int, list[list[Token]]]:
    """The tokens of all answers to those that want to know, by id of the ticket."""
    wanted = [(t, row) for t, row in zip(asked, found, strict=True) if t.asked.logprobs and not t.cancelled]
    if not wanted or not isinstance(lm, ScoresTokens):
        return {}
    flat = [(ticket, one) for ticket, row in wanted for one in row]
    scored = iter(
        lm.token_logprobs(
            [ticket.chat for ticket, _ in flat],
            [one.text for _, one in flat],
            [ticket.adapter for ticket, _ in flat],
            max(ticket.asked.top for ticket, _ in wanted),
        )
    )
    return {id(ticket): [_cut(next(scored), ticket.asked.top) for _ in row] for ticket, row in wanted}


def _cut(tokens: Sequence[Token], top: int) -> list[Token]:
    return [replace(one, top=one.top[:top]) for one in tokens]
