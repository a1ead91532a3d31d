"""A request between the thread of the model and the loop of the network."""

from __future__ import annotations

import asyncio

import pytest

from selfstudy.models.base import Route
from selfstudy.records import Completion
from selfstudy.serve.api_error import ApiError
from selfstudy.serve.asked import read
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.ticket import Ticket
from tests.serve.serving import Echo, routed_offer

BODY = b'{"messages": [{"role": "user", "content": "hello"}], "temperature": 0, "top_p": 0.5, "seed": 3}'


def ticket(seconds: float = 10.0) -> Ticket:
    return Ticket(read(BODY, RequestLimits()), routed_offer(Echo()), seconds)


def test_who_waits_is_woken_with_the_newest_text_however_often_it_changed() -> None:
    async def work() -> None:
        one = ticket()

        def write() -> None:
            one.begin(7, Route("fiji-00000001", 0.9))
            for length in range(1000):
                assert one.hear("x" * length)
            one.finish([Completion(text="x" * 999)], None)

        writing = asyncio.create_task(asyncio.to_thread(write))
        await one.start()
        assert (one.label, one.adapter, one.prompt_tokens) == ("fiji-00000001", "fiji-00000001", 7)
        assert (await one.finished()).completions[0].text == "x" * 999
        await writing

    asyncio.run(work())


def test_time_runs_out_and_a_client_leaves() -> None:
    async def work() -> None:
        late = ticket(seconds=0.02)
        with pytest.raises(ApiError) as told:
            await late.finished()
        assert told.value.status == 504
        assert late.hear("more") is False
        left = ticket()
        left.cancel()
        with pytest.raises(ApiError) as told:
            await left.finished()
        assert told.value.status == 499
        left.refuse(told.value)
        assert left.hear("more") is False

    asyncio.run(work())


def test_a_greedy_answer_has_no_chance_in_it() -> None:
    async def work() -> None:
        sampling = ticket().sampling(9)
        assert (sampling.temperature, sampling.top_p, sampling.seed) == (0.0, 1.0, 0)

    asyncio.run(work())
