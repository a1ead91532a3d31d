"""Whatever a parser is given, its time grows with the length of the input and its memory with it.

`pytest -m slow -s tests/security/test_growth.py` sends 10,000 inputs and prints a table, a row a parser.
"""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from selfstudy.files.rows import read_rows
from tests.security.parsers import INPUTS, OURS, PARSERS, SEEDS, Seed, hostile

NOTHING = 0.02
"""Seconds: less is not measured again, for quadratic parsing takes longer at the lengths used here."""
LONGEST = 2.0
EVERY = 8


def cost(name: str, text: str, folder: Path, times: int = 1) -> float:
    """The least seconds of computing in so many times, whatever the outcome, if that is one of ours."""
    least = float("inf")
    for _ in range(times):
        gc.disable()
        start = time.process_time()
        with suppress(OURS):
            PARSERS[name](text, folder)
        least = min(least, time.process_time() - start)
        gc.enable()
    return least


def growing(name: str, seeds: Sequence[Seed], length: int, folder: Path) -> dict[Seed, str]:
    """What takes more than three times as long when it is twice as long."""
    cost(name, "A", folder)  # what is imported or compiled once
    slow = {}
    for seed in seeds:
        if cost(name, hostile(seed, length), folder) < NOTHING:
            continue
        once = cost(name, hostile(seed, length), folder, 3)
        twice = cost(name, hostile(seed, 2 * length), folder, 3)
        if twice > 3 * once + NOTHING:
            slow[seed] = f"{once:.3f} s, twice as long {twice:.3f} s"
    return slow


@pytest.mark.parametrize("name", PARSERS)
def test_twice_the_input_takes_at_most_three_times_as_long(name: str, tmp_path: Path) -> None:
    """A part of all inputs for each parser; the slow test takes them all."""
    assert not growing(name, SEEDS[list(PARSERS).index(name) % EVERY :: EVERY], 4_000, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_twice_any_input_takes_at_most_three_times_as_long(name: str, tmp_path: Path) -> None:
    assert not growing(name, SEEDS, 16_000, tmp_path)


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=INPUTS)
def test_any_input_is_read_or_refused(name: str, text: str, tmp_path: Path) -> None:
    assert cost(name, text, tmp_path) < LONGEST


def test_a_table_that_stores_a_text_once_and_means_it_a_thousand_times(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    text, places = pyarrow.array(["x" * 5_000_000]), pyarrow.array([0] * 4_000, pyarrow.int32())
    column = pyarrow.DictionaryArray.from_arrays(places, text)
    write_table(pyarrow.table({"question": column}), tmp_path / "rows.parquet", compression="zstd")
    assert (tmp_path / "rows.parquet").stat().st_size < 10_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(next(iter(read_rows(tmp_path / "rows.parquet"))).value["question"]) == 5_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000


def bombarded(name: str, folder: Path, count: int) -> tuple[list[float], int]:
    """Seconds of computing that each of `count` inputs took, and how many of them were refused."""
    times, refused = [], []

    @settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(text=INPUTS)
    def one(text: str) -> None:
        start = time.process_time()
        try:
            PARSERS[name](text, folder)
        except OURS:
            refused.append(text[:1])
        times.append(time.process_time() - start)

    one()
    return times, len(refused)


@pytest.mark.slow
def test_ten_thousand_inputs(tmp_path: Path) -> None:
    """No crash, no hang, under 1 GB."""
    print(f"\n{'parser':<22}{'inputs':>8}{'refused':>9}{'mean ms':>9}{'longest ms':>12}{'MB':>7}")
    for name in PARSERS:
        times, refused = bombarded(name, tmp_path, -(-10_000 // len(PARSERS)))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        mean, longest = 1000 * sum(times) / len(times), 1000 * max(times)
        print(f"{name:<22}{len(times):>8}{refused:>9}{mean:>9.1f}{longest:>12.0f}{memory:>7.0f}")
        assert longest < 1000 * LONGEST
        assert memory < 1000
