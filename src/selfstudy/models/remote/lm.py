"""RemoteLM: what to ask a server, and its answers in order.

Asks for several completions per request where the server can; whether it can is found out once.  An item
that fails comes back as a Completion with finish "error".  Knows nothing of how a server is started.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.models import content, plain
from selfstudy.models.base import Progress, Sampling, refuse_contrastive_search
from selfstudy.models.families import of_servers
from selfstudy.models.first_items import FirstItems
from selfstudy.models.remote.background import LoopThread, together
from selfstudy.models.remote.http import HTTPClient, Key, Trouble
from selfstudy.models.remote.replies import completions, failed
from selfstudy.models.remote.response_cache import ResponseCache, chat_key
from selfstudy.models.remote.retries import OneAtATime, Retries
from selfstudy.models.remote.usage import Usage
from selfstudy.recipe import RemoteModel
from selfstudy.records import Chat, Completion, digest, without_demonstrations

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
"""Between two looks at what has been answered, which then goes into the cache: what a kill loses at most."""
_HARMLESS = frozenset({"max_tokens", "stop", "seed"})
"""Parameters that a server may refuse and yet answer as its key in the cache says."""


@dataclass(frozen=True, slots=True)
class _Request:
    """Completions of one chat that one request may ask for; `slots` and `keys` go together.

    A greedy request has one answer for all of its slots.
    """

    chat: Chat
    greedy: bool
    slots: tuple[int, ...]
    keys: tuple[str, ...]

    @property
    def count(self) -> int:
        """Completions to ask for."""
        return 1 if self.greedy else len(self.slots)

    def part(self, start: int, end: int | None = None) -> _Request:
        return replace(self, slots=self.slots[start:end], keys=self.keys[start:end])

    def singly(self) -> Iterator[_Request]:
        return (self.part(i, i + 1) for i in range(len(self.slots)))


_Answered = tuple[_Request, list[Completion]]
Fields = Callable[[Sampling, bool], dict[str, Any]]


def common_fields(sampling: Sampling, greedy: bool) -> dict[str, Any]:
    """What vLLM, SGLang and others call what the API has not; a neutral value is left out.

    But for top_p, which the API has: servers have defaults of their own, such as 0.95.
    """
    found: dict[str, Any] = {} if greedy else {"top_p": sampling.top_p}
    if sampling.repetition_penalty != 1.0:
        found["repetition_penalty"] = sampling.repetition_penalty
    if sampling.top_k and not greedy:
        found["top_k"] = sampling.top_k
    return found


class RemoteLM:
    """A language model that a server runs; fulfils `base.LanguageModel`.

    Completions have log-probability NaN unless the block asks for `logprobs` and the server gives them; the
    values are the server's own (those of temperature 1 with the defaults of vLLM and OpenAI).

    Args:
        block: where it is.
        cache: answers that need not be asked for again.
        fields: what a request needs beyond the API's own fields, for a sampling and whether it is greedy.
        alive: whether the server still runs, where that can be known: if not, nothing is tried again, and
            nothing is sent to what may have taken its place.
        said: what is said in a turn, as it is sent; its tokenizer would read special tokens in it as such.
        completes: whether the server completes plain text (models/plain.py), and so wants demonstrations.
    """

    def __init__(
        self,
        block: RemoteModel,
        cache: ResponseCache | None = None,
        fields: Fields = common_fields,
        alive: Callable[[], bool] | None = None,
        said: content.Content = of_servers,
        completes: bool = False,
    ) -> None:
        """Opens no connection yet.

        Raises:
            ModelError: the key cannot be used, or the user has not allowed that this server gets it, or that
                it is asked over plain http.
        """
        self.name = block.model + (f"@{block.revision}" if block.revision else "")
        self.prices = block.prices
        self._block = block
        self._cache = cache
        self._fields = fields
        self._said = said
        self.wants_demonstrations = completes
        self._http_client = HTTPClient(block, Key.of(block), alive)
        self._retries = Retries(block, self._http_client, alive or (lambda: True))
        self._first = FirstItems()
        """Whether any request has come to an answer: with none of the first, no more are sent."""
        self._many: bool | None = None if block.n == "auto" else block.n
        """Whether the server gives several completions per request; None: not known yet."""
        self._one_first = asyncio.Lock()
        self._loop = LoopThread()
        weakref.finalize(self, self._loop.stop)

    @property
    def key_use(self) -> str:
        """Which key goes where, in a sentence; "" without a key."""
        return self._http_client.key.use(self._block.base_url)

    @property
    def usage(self) -> Usage:
        """What was asked for since the model was made."""
        return self._retries.usage

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """`sampling.total` completions for each chat, in the order of `chats`, greedy one first if asked for.

        Samples are as repeatable as the server makes them: each request's seed follows from the sampling's
        seed, the chat and the number of its first sample.  Two equal chats get different samples.

        Raises:
            ModelError: the server cannot be reached, refuses the key, does not know the model, or has not
                answered anything for a whole deadline; what was answered before is in the cache.  Or
                contrastive search is asked for.
        """
        refuse_contrastive_search(f"{self.name} at {self._block.base_url}", sampling)
        total = sampling.total
        chats = [self._sent(chat) for chat in chats]
        results: list[Completion | None] = [None] * (len(chats) * total)
        left = [total] * len(chats)

        def settle(slot: int, completion: Completion) -> None:
            if results[slot] is not None:
                raise RuntimeError(f"completion {slot} came twice")
            results[slot] = completion
            left[slot // total] -= 1
            if progress is not None and left[slot // total] == 0:
                progress(1)

        rest = self._look_up(self._requests(chats, sampling), settle)
        for request, answers in self._answers(rest, sampling):
            for slot, completion in zip(request.slots, answers, strict=True):
                settle(slot, completion)
        done = [one for one in results if one is not None]
        if len(done) != len(results):
            raise RuntimeError(f"{len(results) - len(done)} completions were lost")
        return [done[i * total : (i + 1) * total] for i in range(len(chats))]

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """Natural-log probability of every token of texts[i] as the assistant's answer to chats[i].

        Needs a server that tokenises chats and echoes prompts (vLLM does); an item that it refuses, or an
        empty text, gives an empty list.

        Raises:
            ModelError: the server cannot do that.
        """
        from selfstudy.models.remote.logprobs import TextLogprobs

        if len(chats) != len(texts):
            raise ValueError(f"{len(chats)} chats but {len(texts)} texts")
        echo = TextLogprobs(self._block, self._http_client, self._retries)
        results: list[list[float]] = [[] for _ in chats]
        todo = iter(range(len(chats)))

        async def work() -> None:
            for index in todo:
                results[index] = await echo.logprobs(self._sent(chats[index]), self._said(texts[index]))
                self._retries.count(completions=1)

        self._loop.run(together(work, min(self._block.concurrency, len(chats)))).result()
        return results

    def _sent(self, chat: Chat) -> Chat:
        return content.within(chat if self.wants_demonstrations else without_demonstrations(chat), self._said)

    def _stop(self, request: _Request, sampling: Sampling) -> tuple[str, ...]:
        own = (plain.stop(request.chat),) if self.wants_demonstrations else ()
        return (*sampling.stop, *own)

    def close(self) -> None:
        """Lets go of the connections."""
        self._loop.run(self._http_client.close()).result(timeout=10)
        self._loop.stop()

    def _requests(self, chats: Sequence[Chat], sampling: Sampling) -> list[_Request]:
        """What there is to ask: for each chat its greedy completion, its samples, or both."""
        total = sampling.total
        certain = replace(sampling, temperature=0.0, top_k=0, top_p=1.0, seed=0)
        occurrences: Counter[Chat] = Counter()
        requests = []
        for index, chat in enumerate(chats):
            slots = tuple(range(index * total, (index + 1) * total))
            sampled = () if sampling.temperature == 0 else slots[1:] if sampling.with_passage else slots
            if greedy := slots[: total - len(sampled)]:
                requests.append(
                    _Request(chat, True, greedy, (f"{self._key(chat, certain)}:greedy",) * len(greedy))
                )
            if sampled:
                key = f"{self._key(chat, sampling)}:{occurrences[chat]}"
                occurrences[chat] += 1
                keys = tuple(f"{key}:{sampling.first + number}" for number in range(len(sampled)))
                requests.append(_Request(chat, False, sampled, keys))
        return requests

    def _key(self, chat: Chat, sampling: Sampling) -> str:
        block = self._block
        where = block.revision or block.base_url
        return chat_key(block.model, where, chat, sampling, logprobs=block.logprobs, extra=block.extra)

    def _look_up(
        self, requests: Sequence[_Request], settle: Callable[[int, Completion], None]
    ) -> Sequence[_Request]:
        """Settles what the cache knows; returns what is still to be asked."""
        if self._cache is None:
            return requests
        found = self._cache.get(list(dict.fromkeys(key for request in requests for key in request.keys)))
        rest = []
        known = 0
        for request in requests:
            for slot, key in zip(request.slots, request.keys, strict=True):
                if key in found:
                    known += 1
                    settle(slot, found[key])
            missing = [i for i, key in enumerate(request.keys) if key not in found]
            if missing:
                slots, keys = (
                    tuple(request.slots[i] for i in missing),
                    tuple(request.keys[i] for i in missing),
                )
                rest.append(_Request(request.chat, request.greedy, slots, keys))
        self._retries.count(cached=known)
        if known:
            self._first.saw([None])
        return rest

    def _answers(self, requests: Sequence[_Request], sampling: Sampling) -> Iterator[_Answered]:
        """The answers to all requests as they come in, not in order; the cache keeps them on the way."""
        if not requests:
            return
        arrived: deque[_Answered] = deque()
        wake = threading.Event()
        future = self._loop.run(self._ask_all(requests, sampling, arrived.append))
        future.add_done_callback(lambda _: wake.set())
        try:
            finished = False
            while not finished:
                wake.wait(_LOOK_SECONDS)  # a wake-up per answer would cost more than the answer
                finished = future.done()
                yield from self._kept(arrived, sampling)
            future.result()
        finally:
            future.cancel()
            self._kept(arrived, sampling)

    def _kept(self, arrived: deque[_Answered], sampling: Sampling) -> list[_Answered]:
        """Takes what has arrived, and puts it into the cache if it was sampled as its key says."""
        answers = [arrived.popleft() for _ in range(len(arrived))]
        self._retries.count(completions=sum(len(found) for _, found in answers))
        lost = self._retries.left_out - _HARMLESS - ({"top_p"} if sampling.top_p == 1.0 else set())
        if self._cache is not None and not lost:
            self._cache.put(
                {key: one for request, found in answers for key, one in zip(request.keys, found, strict=True)}
            )
        return answers

    async def _ask_all(
        self, requests: Sequence[_Request], sampling: Sampling, arrived: Callable[[_Answered], None]
    ) -> None:
        todo = self._in_turn(requests)

        async def work() -> None:
            for request in todo:
                await self._ask_for_all(request, sampling, arrived)

        await together(work, min(self._block.concurrency, sum(request.count for request in requests)))

    def _in_turn(self, requests: Sequence[_Request]) -> Iterator[_Request]:
        for request in requests:
            if request.count > 1 and self._many is False:
                yield from request.singly()
            else:
                yield request

    async def _ask_for_all(
        self, request: _Request, sampling: Sampling, arrived: Callable[[_Answered], None]
    ) -> None:
        """Gets the answers to a request; while something about the server is unknown, one at a time."""
        if self._unsure(request):
            async with self._one_first:
                rest = await self._ask(request, sampling, arrived) if self._unsure(request) else request
        else:
            rest = request
        if rest.slots:
            rest = await self._ask(rest, sampling, arrived)
        if rest.slots:  # the server gives one completion per request
            await asyncio.gather(*(self._ask(one, sampling, arrived) for one in rest.singly()))

    def _unsure(self, request: _Request) -> bool:
        return not self._retries.met or (request.count > 1 and self._many is None)

    async def _ask(
        self, request: _Request, sampling: Sampling, arrived: Callable[[_Answered], None]
    ) -> _Request:
        """Hands over a request's answers; returns the part of it that the server left out."""
        if request.count > 1 and self._many is False:
            return request
        try:
            found = await self._retries.call(
                "/chat/completions",
                self._body(request, sampling),
                lambda reply: completions(reply, self._stop(request, sampling)),
            )
        except Trouble as trouble:
            self._look([str(trouble)])
            arrived((request, [failed(str(trouble))] * len(request.slots)))
            return request.part(len(request.slots))
        except OneAtATime:
            found = []
        found = found[: request.count]
        if not found and request.count == 1:
            found = [failed("the reply has no choices")]
        if request.count > 1 and self._many is not True:
            self._many = len(found) == request.count
            if not self._many:
                log.info("%s gives one completion per request: asking once per sample", self.name)
        self._look([one.error for one in found])
        answers = found * len(request.slots) if request.greedy else found
        if answers:
            arrived((request.part(0, len(answers)), answers))
        return request.part(len(answers))

    def _look(self, errors: Sequence[str | None]) -> None:
        """Takes note of what has come of a request.

        Raises:
            ModelError: all of the first requests have failed in the same way.
        """
        self._first.saw(errors)
        if self._first.hopeless:
            raise ModelError(
                f"{self.name} at {self._block.base_url} has given no answer to any of the first "
                f"{self._first.failed} requests, most of them like this: {self._first.commonest}",
                "check base_url and model, and what the server says; the same command then goes on",
            )

    def _body(self, request: _Request, sampling: Sampling) -> dict[str, Any]:
        """The request; what has its neutral value is left out, as not every server knows every parameter."""
        body: dict[str, Any] = {
            "model": self._block.model,
            "messages": [{"role": turn.role, "content": turn.content} for turn in request.chat],
            "temperature": 0.0 if request.greedy else sampling.temperature,
            "max_tokens": sampling.max_new_tokens,
        }
        if request.count > 1:
            body["n"] = request.count
        if stop := self._stop(request, sampling):
            body["stop"] = list(stop)
        if self._block.logprobs:
            body["logprobs"] = True
        if not request.greedy:
            body["seed"] = int(digest(request.keys[0]), 16) % 2**31  # the key tells chat, sampling and number
            if sampling.top_p != 1.0:
                body["top_p"] = sampling.top_p
        return body | self._fields(sampling, request.greedy) | self._block.extra
