"""Rows that move in place hold what a selection of rows holds."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.models.local.kept import KeptCache, staying


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=9), min_size=1, max_size=6), st.integers(1, 40)
)
def test_rows_that_move_in_place_are_those_that_were_selected(steps: list[list[int]], new: int) -> None:
    """Whatever splits, leaves and grows, beyond the room for rows and for columns."""
    cache, expected = KeptCache(), torch.arange(3.0).reshape(3, 1, 1, 1)
    cache.update(expected, -expected, 0)
    for number, wanted in enumerate(steps):
        parent = torch.tensor(sorted(one % len(expected) for one in wanted))
        order = staying(parent)
        assert sorted(order.tolist()) == list(range(len(parent)))
        parent = parent[order]
        copy = cache.selected(parent)
        cache.move(parent)
        added = torch.arange(len(parent) * new).reshape(len(parent), 1, new, 1) + 100.0 * number
        expected = torch.cat([expected[parent], added], 2)
        for one in (cache, copy):
            keys, values = one.update(added, -added, 0)
            assert torch.equal(keys, expected)
            assert torch.equal(values, -expected)
            assert one.columns == expected.shape[2]


def test_rows_stay_where_they_can() -> None:
    assert staying(torch.tensor([0, 1, 2])).tolist() == [0, 1, 2]
    assert staying(torch.tensor([0, 0, 2])).tolist() == [0, 1, 2]
    assert staying(torch.tensor([1, 2, 3])).tolist() == [2, 0, 1]  # row 3 goes to the place that is free


def test_of_rows_that_differ_at_the_end_only_the_end_is_copied() -> None:
    cache, states = KeptCache(), torch.arange(2.0).reshape(2, 1, 1, 1).repeat_interleave(3, 0)
    cache.update(states, -states, 0)
    last = torch.arange(6.0).reshape(6, 1, 1, 1) + 10
    cache.update(last, -last, 0)
    parent = torch.tensor([2, 2, 2, 3, 3, 3])
    cache.move(parent, since=1)
    keys, values = cache.layers[0].keys, cache.layers[0].values
    assert torch.equal(keys, torch.cat([states, last[parent]], 2))
    assert torch.equal(values, -keys)
