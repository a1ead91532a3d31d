"""Batches hold everything once, and what is of one length or begins alike together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfstudy.teach.trainers.order import POOL, ByLength


@given(st.lists(st.integers(1, 30), min_size=1, max_size=200), st.integers(1, 9), st.integers(0, 3))
def test_batches_hold_everything_once_and_the_short_one_comes_last(
    lengths: list[int], size: int, seed: int
) -> None:
    sequences = [[0] * n for n in lengths]
    sampler = ByLength(sequences, size, seed)
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(len(lengths)))
    assert first == list(ByLength(sequences, size, seed))
    if len(lengths) <= POOL * size:  # one pool: padding is as little as it can be
        batches = [first[k : k + size] for k in range(0, len(first), size)]
        padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
        ordered = sorted(lengths)
        least = [ordered[k : k + size] for k in range(0, len(ordered), size)]
        assert padded == sum(batch[-1] * len(batch) for batch in least)


def test_what_begins_alike_is_in_one_batch() -> None:
    groups = [i % 3 for i in range(48)]
    lengths = [5 + i % 7 for i in range(48)]
    order = list(ByLength([[0] * n for n in lengths], 4, 0, groups))
    assert sorted(order) == list(range(48))
    batches = [order[k : k + 4] for k in range(0, 48, 4)]
    assert all(len({groups[i] for i in batch}) == 1 for batch in batches)
    assert sum(max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in batches) < 30
