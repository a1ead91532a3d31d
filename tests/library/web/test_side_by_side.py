from __future__ import annotations

import threading
import time

import pytest

from selfstudy.library.web.side_by_side import side_by_side


def test_groups_side_by_side_items_in_order() -> None:
    order: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    inside, most, lock = 0, 0, threading.Lock()

    def work(item: tuple[str, int]) -> tuple[str, int]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)
        order[item[0]].append(item[1])
        with lock:
            inside -= 1
        return item

    groups = [[(name, number) for number in range(5)] for name in order]
    found = list(side_by_side(groups, work, 2))
    assert sorted(found) == sorted(item for group in groups for item in group)
    assert all(numbers == list(range(5)) for numbers in order.values())
    assert most == 2


def test_nothing_and_empty_groups() -> None:
    assert list(side_by_side([], str, 4)) == []
    assert list(side_by_side([[], [1]], str, 4)) == ["1"]


def test_an_exception_is_raised_and_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        list(side_by_side([range(1000)], work, 1))
    time.sleep(0.05)
    assert len(begun) == 4


def test_who_stops_listening_stops_the_work() -> None:
    begun: list[int] = []
    results = side_by_side([range(100_000)], lambda item: begun.append(item), 1)
    next(results)
    results.close()  # type: ignore[attr-defined]
    time.sleep(0.05)
    seen = len(begun)
    time.sleep(0.1)
    assert len(begun) == seen < 10
