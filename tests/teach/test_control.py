"""Who gets whose answer in the control."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfstudy.teach.control import exchanged


@given(st.integers(2, 60), st.integers(0, 5))
def test_nobody_keeps_an_answer_and_none_is_lost(count: int, seed: int) -> None:
    mixed = exchanged(range(count), seed)
    assert sorted(mixed) == list(range(count))
    assert all(at != answer for at, answer in enumerate(mixed))
    assert mixed == exchanged(range(count), seed)


def test_one_alone_keeps_its_own() -> None:
    assert exchanged(["a"], 0) == ["a"]
    assert exchanged([], 0) == []
