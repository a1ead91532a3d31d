from __future__ import annotations

import threading
import time

import pytest

from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.hosts import Hosts


def hosts(delay: float = 0.0, patience: float = 5.0) -> Hosts:
    return Hosts(delay, patience, threading.Event())


def taken(some: Hosts, name: str, times: int) -> float:
    start = time.monotonic()
    for _ in range(times):
        with some.turn(name):
            pass
    return time.monotonic() - start


def test_a_delay_between_requests_to_one_host_alone() -> None:
    some = hosts(delay=0.3)
    assert taken(some, "a", 3) >= 0.6
    assert taken(some, "b", 1) < 0.3


def test_one_at_a_time() -> None:
    some, inside, most = hosts(), 0, 0

    def work() -> None:
        nonlocal inside, most
        with some.turn("a"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_robots_txt_may_ask_for_more() -> None:
    some = hosts(delay=0.01)
    some.slow_down("a", 0.15)
    assert taken(some, "a", 2) >= 0.15


def test_patience_ends() -> None:
    some = hosts(patience=1.0)
    assert some.pause("a", 0.1)
    assert taken(some, "a", 1) >= 0.09
    assert not some.pause("a", 60)
    with pytest.raises(RefusedError, match="60 s") as error, some.turn("a"):
        pass
    assert error.value.why == "limit"
    some.slow_down("b", 3600)
    assert taken(some, "b", 1) < 1
    with pytest.raises(RefusedError), some.turn("b"):
        pass


def test_a_host_that_is_slow_again_and_again_is_given_up() -> None:
    some = hosts()
    for why in ("time", "limit", "", "time", "limit", "time"):
        with some.turn("a"):
            pass
        some.tell("a", why)
    with pytest.raises(RefusedError, match="given up"), some.turn("a"):
        pass


def test_nobody_waits_for_a_closed_fetcher() -> None:
    stop = threading.Event()
    some = Hosts(30, 60, stop)
    taken(some, "a", 1)
    threading.Timer(0.1, stop.set).start()
    start = time.monotonic()
    with pytest.raises(RefusedError), some.turn("a"):
        pass
    assert time.monotonic() - start < 5
