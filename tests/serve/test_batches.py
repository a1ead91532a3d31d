"""Requests that wait and those that are answered together: order, groups, fairness, and who is let go."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from selfstudy.models.base import Sampling
from selfstudy.records import Chat, Completion
from selfstudy.serve import asked
from selfstudy.serve.api_error import ApiError
from selfstudy.serve.batches import Batches
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.offer import Offer
from selfstudy.serve.replies import encoded
from selfstudy.serve.ticket import Ticket
from tests.serve.serving import Echo, Plain, plain_offer, routed_offer, wait_until

LIMITS = RequestLimits(queue=50, rows=8, gather=0.0)


def ticket(offer: Offer, text: str, **rest: Any) -> Ticket:
    body = {"messages": [{"role": "user", "content": text}], "temperature": 0, **rest}
    return Ticket(asked.read(encoded(body), LIMITS), offer, seconds=20)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def behind(batches: Batches, lm: Echo | Plain, offer: Offer, waiting: Sequence[Ticket]) -> None:
    """Puts requests into the queue while the model is busy with another, and waits for all of them."""
    lm.open.clear()
    first = ticket(offer, "first")
    batches.add(first)
    await asyncio.to_thread(wait_until, lambda: lm.batches)
    for one in waiting:
        batches.add(one)
    lm.open.set()
    await first.finished()
    for one in waiting:
        if not one.cancelled:
            await one.finished()


def test_what_one_call_can_answer_goes_together_and_the_oldest_goes_first() -> None:
    async def work() -> None:
        lm = Echo()
        offer, batches = routed_offer(lm), Batches(LIMITS)
        await behind(
            batches,
            lm,
            offer,
            [
                ticket(offer, "a", max_tokens=5),
                ticket(offer, "b", max_tokens=6),
                ticket(offer, "c", max_tokens=5, model="fiji-00000001"),
                ticket(offer, "d of togo", max_tokens=6),
                ticket(offer, "e", max_tokens=5, top_p=0.5),  # of a greedy answer it says nothing
            ],
        )
        assert lm.batches[1:] == [[None, "fiji-00000001", None], [None, "togo-00000002"]]
        assert [one.max_new_tokens for one in lm.samplings[1:]] == [5, 6]
        assert batches.end()

    run(work())


def test_seeds_are_kept_apart_and_those_without_one_share_whatever_it_is() -> None:
    async def work() -> None:
        lm = Echo()
        offer, batches = routed_offer(lm), Batches(LIMITS)
        hot = {"temperature": 1}
        await behind(
            batches,
            lm,
            offer,
            [
                ticket(offer, "a", **hot),
                ticket(offer, "a", **hot, seed=1),
                ticket(offer, "b", **hot, seed=1),
                ticket(offer, "a", **hot, seed=1),  # the same once more is the same answer, so not beside it
                ticket(offer, "b", **hot),
                ticket(offer, "a", **hot, seed=2),
            ],
        )
        assert [(len(names), one.seed) for names, one in zip(lm.batches, lm.samplings, strict=True)][2:] == [
            (2, 1),
            (1, 1),
            (1, 2),
        ]
        assert len(lm.batches[1]) == 2
        assert batches.end()

    run(work())


def test_a_batch_has_a_size_and_nobody_is_passed_over() -> None:
    async def work() -> None:
        lm = Echo()
        offer, batches = routed_offer(lm), Batches(LIMITS)
        await behind(batches, lm, offer, [ticket(offer, str(at)) for at in range(20)])
        assert [len(one) for one in lm.batches] == [1, 8, 8, 4]
        assert [text.rpartition(" ")[2] for text in lm.heard_of[1:]] == [str(at) for at in range(20)]
        await behind(batches, lm, offer, [ticket(offer, str(at), n=3) for at in range(3)])
        assert [len(one) for one in lm.batches][-2:] == [2, 1]
        assert batches.end()

    run(work())


def test_a_request_of_nobody_is_not_answered() -> None:
    async def work() -> None:
        lm = Plain()
        offer, batches = plain_offer(lm), Batches(LIMITS)
        going = ticket(offer, "going")
        going.cancel()
        await behind(batches, lm, offer, [going, ticket(offer, "staying")])
        assert lm.batches == [1, 1]
        with pytest.raises(ApiError, match="closed"):
            await going.finished()
        assert batches.end()

    run(work())


def test_what_waits_is_refused_at_the_end_and_what_comes_then_too() -> None:
    async def work() -> None:
        lm = Plain()
        lm.open.clear()
        offer, batches = plain_offer(lm), Batches(RequestLimits(rows=1, gather=0.0))
        tickets = [ticket(offer, str(at)) for at in range(3)]
        for one in tickets:
            batches.add(one)
        await asyncio.to_thread(wait_until, lambda: lm.batches)
        ending = asyncio.create_task(asyncio.to_thread(batches.end))
        for one in tickets[1:]:
            with pytest.raises(ApiError) as told:
                await one.finished()
            assert told.value.status == 503
        lm.open.set()
        assert (await tickets[0].finished()).completions[0].text == "plain: 0"
        assert await ending
        with pytest.raises(ApiError) as told:
            batches.add(ticket(offer, "late"))
        assert told.value.status == 503

    run(work())


def test_the_thread_outlives_a_model_that_breaks_and_says_so() -> None:
    class Broken(Plain):
        def generate(self, chats: Sequence[Chat], sampling: Sampling, progress: Any = None) -> Any:
            if chats[0][-1].content == "break":
                raise SystemExit(1)
            if chats[0][-1].content == "fail":
                return [[Completion(text="", finish="error", error="no room in memory")]]
            return super().generate(chats, sampling, progress)

    async def work() -> None:
        faults: list[BaseException] = []
        offer, batches = plain_offer(Broken()), Batches(LIMITS, fault=faults.append)
        for text, said in (("break", "could not be answered"), ("fail", "no room in memory")):
            one = ticket(offer, text)
            batches.add(one)
            with pytest.raises(ApiError, match=said) as told:
                await one.finished()
            assert told.value.status == 500
        good = ticket(offer, "good")
        batches.add(good)
        assert (await good.finished()).completions[0].text == "plain: good"
        assert [type(one) for one in faults] == [SystemExit]
        assert batches.end()

    run(work())


def test_a_model_is_let_go_with_its_last_request() -> None:
    async def work() -> None:
        batches = Batches(LIMITS)
        lm = Plain()
        gone = weakref.ref(lm)
        one = ticket(plain_offer(lm), "last")
        batches.add(one)
        await one.finished()
        await asyncio.to_thread(wait_until, lambda: batches.busy == 0)
        del lm, one
        gc.collect()
        assert gone() is None
        assert batches.end()

    run(work())
