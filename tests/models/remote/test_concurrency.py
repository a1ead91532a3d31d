"""Concurrency that adapts, against a server of which only the number of places matters."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from selfstudy.models.remote.concurrency import Limiter

TICK = 0.002


def drive(pace: Limiter, count: int, places: int, workers: int = 100) -> tuple[Counter[int], int, int]:
    """Gets `count` answers from a server that refuses more than `places` at once.

    Returns:
        How many requests began at which limit; most that were under way at once; how many were refused.
    """
    running = peak = refused = 0
    left = count
    limits: Counter[int] = Counter()

    async def work() -> None:
        nonlocal running, peak, refused, left
        while left > 0:
            since = await pace.enter()
            running += 1
            limits[pace.limit] += 1
            peak = max(peak, running)
            full = running > places
            await asyncio.sleep(0 if full else TICK)
            refused += full
            left -= not full
            running -= 1
            pace.leave(since, "slow" if full else "good")

    async def all_of_them() -> None:
        await asyncio.gather(*(work() for _ in range(workers)))

    asyncio.run(all_of_them())
    return limits, peak, refused


def test_it_grows_to_the_limit_and_not_beyond() -> None:
    limits, peak, refused = drive(Limiter(40), 2000, places=1000)
    assert (peak, refused) == (40, 0)
    assert limits[40] > 1500


def test_a_server_with_few_places_is_kept_busy_and_seldom_overrun() -> None:
    limits, _, refused = drive(Limiter(100), 6000, places=30)
    assert refused < 0.05 * 6000
    assert sum(limit * count for limit, count in limits.items()) / sum(limits.values()) > 0.8 * 30


def test_it_halves_once_per_burst() -> None:
    async def burst() -> list[int]:
        pace = Limiter(8)
        since = [await pace.enter() for _ in range(8)]
        limits = []
        for one in since:
            pace.leave(one, "slow")
            limits.append(pace.limit)
        return limits

    assert asyncio.run(burst()) == [4] * 8


def test_it_never_stops_altogether_and_recovers() -> None:
    async def storm() -> tuple[int, int]:
        pace = Limiter(32)
        for _ in range(50):
            pace.leave(await pace.enter(), "slow")
            await asyncio.sleep(0)
        low = pace.limit
        for _ in range(200):
            since = [await pace.enter() for _ in range(pace.limit)]
            await asyncio.sleep(0.0002)
            for one in since:
                pace.leave(one, "good")
        return low, pace.limit

    low, after = asyncio.run(storm())
    assert low == 1
    assert after > 8


def test_a_slow_server_gets_no_more() -> None:
    _, peak, _ = drive(Limiter(64, patience=TICK / 2), 500, places=1000)
    assert peak <= 9


def test_errors_that_say_nothing_change_nothing() -> None:
    async def errors() -> int:
        pace = Limiter(8)
        for _ in range(20):
            pace.leave(await pace.enter(), "neither")
        return pace.limit

    assert asyncio.run(errors()) == 8


def test_places_are_given_in_turn_and_a_cancelled_wait_loses_none() -> None:
    async def queue() -> list[int]:
        pace = Limiter(1)
        order: list[int] = []

        async def wait(number: int) -> None:
            since = await pace.enter()
            order.append(number)
            pace.leave(since, "good")

        first = await pace.enter()
        tasks = [asyncio.ensure_future(wait(number)) for number in range(5)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        pace.leave(first, "good")
        tasks[0].cancel()  # its place has been given already, and must go on to the next
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert asyncio.run(queue()) == [2, 3, 4]


@pytest.mark.parametrize("pause", [0.05, 0.1])
def test_a_pause_holds_for_everybody(pause: float) -> None:
    async def paused() -> float:
        pace = Limiter(4)
        loop = asyncio.get_running_loop()
        pace.leave(await pace.enter(), "slow", pause)
        before = loop.time()
        return await pace.enter() - before

    assert asyncio.run(paused()) >= 0.9 * pause
