"""When a question is asked again, as a pure function."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfstudy.recipe import RelearnBlock
from selfstudy.run.schedule import PastAsking, Turn, due, interval, soonest, turns

blocks = st.builds(
    RelearnBlock,
    first=st.integers(1, 5),
    factor=st.floats(1, 10),
    longest=st.integers(1, 50),
    most=st.integers(1, 20),
)
histories = st.lists(
    st.builds(PastAsking, round=st.just(1), right=st.sampled_from((True, False, None)), firm=st.booleans()),
    min_size=1,
    max_size=12,
)


def rounds_asked(block: RelearnBlock, answers: list[PastAsking]) -> list[int]:
    """The rounds in which a question is asked that goes so each time."""
    history = [answers[0]]
    for one in answers[1:]:
        (turn,) = turns({"q": history}, block)
        history.append(PastAsking(turn.due, one.right, one.firm))
    return [one.round for one in history]


def test_what_is_firm_and_stays_right_is_asked_more_and_more_seldom() -> None:
    firm = [PastAsking(1, True, firm=True)] * 5
    assert rounds_asked(RelearnBlock(), firm) == [1, 3, 7, 15, 31]
    assert rounds_asked(RelearnBlock(first=3, longest=20), firm) == [1, 7, 19, 39, 59]


def test_what_is_shaky_or_was_taught_is_asked_in_the_next_round() -> None:
    assert rounds_asked(RelearnBlock(), [PastAsking(1, True)] * 4) == [1, 2, 4, 8]
    assert rounds_asked(RelearnBlock(), [PastAsking(1, False), *[PastAsking(1, True)] * 3]) == [1, 2, 4, 8]


def test_what_slipped_begins_anew() -> None:
    right, wrong = PastAsking(1, True, firm=True), PastAsking(1, False)
    assert rounds_asked(RelearnBlock(), [right, right, wrong, right, right]) == [1, 3, 7, 8, 10]


def test_of_what_failed_nobody_knows_and_it_is_asked_as_before() -> None:
    assert rounds_asked(
        RelearnBlock(), [PastAsking(1, True, firm=True), PastAsking(1, None), PastAsking(1, True)]
    ) == [
        1,
        3,
        5,
    ]


@given(histories, blocks)
def test_an_interval_is_within_its_bounds_and_does_not_depend_on_when(
    history: list[PastAsking], block: RelearnBlock
) -> None:
    found = interval(history, block)
    assert 1 <= found <= max(1, block.longest)
    later = [PastAsking(one.round + 7, one.right, one.firm) for one in history]
    assert interval(later, block) == found
    if history[-1].right is False:
        assert found == min(block.first, block.longest)
    if history[-1].right:
        assert interval([*history, PastAsking(9, True)], block) >= found


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=30), st.integers(1, 20), blocks)
def test_no_more_are_due_than_may_be_and_none_before_its_turn(
    times: list[tuple[int, int]], now: int, block: RelearnBlock
) -> None:
    waiting = [Turn(str(name), asked, wait) for name, (asked, wait) in enumerate(times)]
    found = due(waiting, now, block.most)
    assert len(found) <= block.most
    assert all(one.due <= now for one in found)
    left = [one for one in waiting if one.due <= now and one not in found]
    assert not left or len(found) == block.most
    assert all(one.due <= other.due for one in found for other in left)
    early = soonest(waiting, now, block.most)
    assert bool(early) == bool(waiting)
    assert not found or early == found
