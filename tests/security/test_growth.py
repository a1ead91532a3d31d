"""Whatever a parser is given, its time grows with the length of the input and its memory with it.

`pytest -m slow -s tests/security/test_growth.py` sends 10,000 inputs and prints a table, a row a parser.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from selfstudy.files.rows import read_rows
from selfstudy.judging import terms
from tests import growth
from tests.security.parsers import INPUTS, OURS, PARSERS, SEEDS, Seed, hostile

LONGEST = 2.0
EVERY = 8


def cost(name: str, text: str, folder: Path, times: int = 1) -> float:
    """The least seconds of computing in so many times, whatever the outcome, if that is one of ours."""

    def parse() -> None:
        terms._kept.cache_clear()
        with suppress(OURS):
            PARSERS[name](text, folder)

    return growth.seconds(parse, times)


def growing(name: str, seeds: Sequence[Seed], length: int, folder: Path) -> dict[Seed, str]:
    """What takes more than three times as long when it is twice as long."""
    cost(name, "A", folder)  # what is imported or compiled once
    slow = {}
    for seed in seeds:
        if cost(name, hostile(seed, length), folder) < growth.NOTHING:
            continue

        def parsing(size: int, seed: Seed = seed) -> float:
            return cost(name, hostile(seed, size), folder, growth.TIMES)

        if found := growth.faster_than_linear(parsing, length):
            slow[seed] = found
    return slow


def test_quadratic_work_is_told_from_a_machine_that_is_slow_once() -> None:
    assert growth.faster_than_linear(lambda size: size**2 / 1e6, 400)
    assert not growth.faster_than_linear(lambda size: size / 1e3, 400)
    slow = iter([1.0, 9.0])
    assert not growth.faster_than_linear(lambda size: size / 1e3 * next(slow, 1.0), 400)


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


def once(name: str, text: str, folder: Path) -> tuple[float, float, bool]:
    """Seconds by the clock, seconds of computing, and whether the input was refused."""
    clock, computing = time.perf_counter(), time.process_time()
    try:
        PARSERS[name](text, folder)
        refused = False
    except OURS:
        refused = True
    return time.perf_counter() - clock, time.process_time() - computing, refused


def bombarded(name: str, folder: Path, count: int) -> list[tuple[float, float, bool]]:
    """What each of `count` inputs took; by the clock the least of three times, where one is long.

    Other programs may hold up a single time, and the parser of HTML waits for a process of its own.
    """
    found = []

    @settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(text=INPUTS)
    def one(text: str) -> None:
        took = once(name, text, folder)
        if took[0] >= LONGEST:
            took = min(took, *(once(name, text, folder) for _ in range(2)))
        found.append(took)

    once(name, "A", folder)  # what is imported or compiled once
    one()
    return found


@pytest.mark.slow
def test_ten_thousand_inputs(tmp_path: Path) -> None:
    """No crash, no hang, under 1 GB."""
    print(
        f"\n{'parser':<26}{'inputs':>8}{'refused':>9}{'mean ms':>9}{'longest ms':>12}{'CPU ms':>11}{'MB':>7}"
    )
    rows = []
    for name in PARSERS:
        took = bombarded(name, tmp_path, -(-10_000 // len(PARSERS)))
        clock, computing = [1000 * one[0] for one in took], [1000 * one[1] for one in took]
        refused = sum(one[2] for one in took)
        print(
            f"{name:<26}{len(took):>8}{refused:>9}{sum(clock) / len(took):>9.1f}{max(clock):>12.0f}"
            f"{max(computing):>11.0f}{memory():>7.0f}"
        )
        rows.append((max(clock), max(computing), name, len(took)))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(
        f"{sum(row[3] for row in rows):,} inputs, {len(PARSERS)} parsers; longest {max(rows)[0]:.0f} ms "
        f"({max(rows)[2]}), computing {max(row[1] for row in rows):.0f} ms; "
        f"at most {memory():.0f} MB, children {children:.0f} MB"
    )
    assert max(max(row[:2]) for row in rows) < 1000 * LONGEST
    assert max(memory(), children) < 1000


def memory() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
