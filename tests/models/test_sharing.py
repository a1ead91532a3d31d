"""Whatever fails, however often, and whoever takes what: each item has one result, and work is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.models.remote.usage import Usage
from selfstudy.models.sharing import Sharing
from selfstudy.models.workers import Done, Lost


def answers(items: object) -> list[object]:
    return [2 * item for item in items]  # type: ignore[attr-defined]


def test_a_unit_is_tried_on_each_worker_before_it_is_tried_again() -> None:
    sharing = Sharing([[1, 2], [3]], tries=3)
    part = sharing.take(0, {0, 1, 2})
    assert part is not None
    assert sharing.failed(part, 0, "lost", raised=False) is None
    other = sharing.take(0, {0, 1, 2})
    assert other is not None
    assert other.items == [3]
    assert sharing.take(0, {0, 1, 2}) is None
    assert sharing.take(1, {0, 1, 2}) is part
    sharing.failed(part, 1, "lost", raised=False)
    assert sharing.take(1, {0, 1, 2}) is None
    assert sharing.take(1, {0, 1}) is part, "nobody is left on whom it has not failed"


def test_what_was_not_begun_is_not_blamed_and_comes_next() -> None:
    sharing = Sharing([[1], [2]], tries=1)
    first = sharing.take(0, {0})
    assert first is not None
    sharing.give_back(first)
    assert sharing.take(0, {0}) is first
    assert sharing.fruitless == 0


@pytest.mark.parametrize(("raised", "asked"), [(False, 3 + 1 + 1 + 3), (True, 2 + 1 + 1 + 2)])
def test_one_poisonous_item_of_eight_costs_few_tries(raised: bool, asked: int) -> None:
    sharing = Sharing([list(range(8))], tries=3)
    tries, done = 0, None
    while not sharing.finished:
        worker, part = next((one, part) for one in (0, 1) if (part := sharing.take(one, {0, 1})) is not None)
        if 5 in part.items:
            tries += 1
            done = sharing.failed(part, worker, "it was killed", raised=raised) or done
        else:
            done = sharing.done(part, answers(part.items), Usage(calls=1)) or done
    assert tries == asked
    assert done is not None
    assert done.results[:5] + done.results[6:] == answers([0, 1, 2, 3, 4, 6, 7])
    assert done.results[5] == Lost(
        f"failed {2 if raised else 3} times alone, in the end because it was killed"
    )
    assert done.usage == Usage(calls=3)


def test_a_unit_without_items_is_done_or_lost_like_any_other() -> None:
    sharing = Sharing([[], []], tries=1)
    part = sharing.take(0, {0})
    assert part is not None
    assert sharing.failed(part, 0, "it was killed", raised=False) == Done(0, [])
    part = sharing.take(0, {0})
    assert part is not None
    assert sharing.done(part, [], None) == Done(1, [])
    assert sharing.finished


@given(
    sizes=st.lists(st.integers(0, 9), max_size=6),
    tries=st.integers(1, 4),
    poison=st.sets(st.integers(0, 53), max_size=4),
    workers=st.integers(1, 4),
    data=st.data(),
)
def test_each_unit_comes_once_and_whole(
    sizes: list[int], tries: int, poison: set[int], workers: int, data: st.DataObject
) -> None:
    """Workers take parts in any order, fail at poison, and by chance, and give some back unbegun."""
    numbers = iter(range(54))
    units = [[next(numbers) for _ in range(size)] for size in sizes]
    sharing = Sharing(units, tries)
    held: list[tuple[int, object]] = []
    found: list[Done] = []
    unlucky = 6
    while not sharing.finished:
        worker = data.draw(st.integers(0, workers - 1))
        part = sharing.take(worker, range(workers))
        if part is not None:
            held.append((worker, part))
        if not held or (part is not None and data.draw(st.booleans())):
            continue
        worker, part = held.pop(data.draw(st.integers(0, len(held) - 1)))  # type: ignore[assignment]
        assert part is not None
        chance = unlucky > 0 and data.draw(st.booleans())
        if chance and data.draw(st.booleans()):
            unlucky -= 1
            sharing.give_back(part)
        elif chance or poison.intersection(part.items):
            unlucky -= chance
            found += filter(None, [sharing.failed(part, worker, "no", raised=data.draw(st.booleans()))])
        else:
            found += filter(None, [sharing.done(part, answers(part.items), None)])
    assert not held
    assert sorted(one.unit for one in found) == list(range(len(units)))
    for one in found:
        for item, result in zip(units[one.unit], one.results, strict=True):
            assert isinstance(result, Lost) or (result == 2 * item and item not in poison)
    lost = {
        item
        for one in found
        for item, r in zip(units[one.unit], one.results, strict=True)
        if isinstance(r, Lost)
    }
    assert poison & {item for unit in units for item in unit} <= lost
