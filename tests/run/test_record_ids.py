"""A set of ids in little memory is a set, however many there are and whoever made them."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.records import digest
from selfstudy.run import record_ids
from selfstudy.run.record_ids import RecordIds

ODD = ["", "q1", "0123456789abcdeg", "0123456789ABCDEF", "0123456789abcdef\n", "00000000000000001", "٠" * 16]
ids = st.one_of(
    st.integers(0, 40).map(lambda n: f"{n:016x}"),
    st.integers(2**64 - 40, 2**64 - 1).map(lambda n: f"{n:016x}"),
    st.sampled_from(ODD),
)


@given(st.lists(st.lists(ids, max_size=12), max_size=12))
def test_it_holds_what_was_added_whenever_it_sorts(batches: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_ids, "_RECENT", 4)
        found, expected = RecordIds(), set[str]()
        for batch in batches:
            assert [one in found for one in batch] == [one in expected for one in batch]
            found.update(batch)
            expected.update(batch)
            assert len(found) == len(expected)
    assert sorted(found) == sorted(expected)
    assert all(one in found for one in expected)
    assert not any(one in found for one in [*ODD, f"{41:016x}"] if one not in expected)


def test_an_id_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 bytes in the array; what waits to be sorted in is an eighth at most."""
    monkeypatch.setattr(record_ids, "_RECENT", 100)
    found = RecordIds(digest(str(n)) for n in range(20_000))
    taken = sys.getsizeof(found._sorted) + sys.getsizeof(found._recent) + 36 * len(found._recent)
    assert len(found) == 20_000
    assert taken < 24 * 20_000
