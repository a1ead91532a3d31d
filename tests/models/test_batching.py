"""Batches of like length: filled up to a budget, halved where memory runs out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.models.batching import in_batches, padded

CPU = torch.device("cpu")


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 60), st.booleans())
def test_everything_is_computed_once_within_the_budget(lengths: list[int], budget: int, pads: bool) -> None:
    batches: list[list[int]] = []
    found: dict[int, int] = {}

    def compute(places: list[int]) -> list[int]:
        batches.append([lengths[at] for at in places])
        return [10 * lengths[at] for at in places]

    assert in_batches(lengths, budget, compute, found.__setitem__, CPU, pads=pads) == budget
    assert found == {at: 10 * length for at, length in enumerate(lengths)}
    assert sorted(lengths, reverse=True) == [length for batch in batches for length in batch]
    assert all(len(batch) == 1 or batch[0] * len(batch) <= budget for batch in batches)
    assert pads or all(len(set(batch)) == 1 for batch in batches)


def test_memory_that_runs_out_halves_the_budget_for_good() -> None:
    sizes: list[int] = []

    def compute(places: list[int]) -> list[int]:
        if len(places) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(places))
        return places

    found: dict[int, int] = {}
    assert in_batches([2] * 10, 40, compute, found.__setitem__, CPU) == 5
    assert sizes == [2] * 5
    assert sorted(found) == list(range(10))


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("shapes")])
def test_what_halving_does_not_help_is_raised(error: RuntimeError) -> None:
    def compute(places: list[int]) -> list[int]:
        raise error

    with pytest.raises(type(error)):
        in_batches([5], 40, compute, lambda at, one: None, CPU)


def test_padding_is_masked() -> None:
    rows = [{"input_ids": [5, 6, 7], "token_type_ids": [1, 1, 1]}, {"input_ids": [8], "token_type_ids": [1]}]
    found = {name: of.tolist() for name, of in padded(rows, 9, CPU).items()}
    assert found == {
        "input_ids": [[5, 6, 7], [8, 9, 9]],
        "token_type_ids": [[1, 1, 1], [1, 0, 0]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
    }
