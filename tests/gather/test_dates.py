"""What a date may mean, and which side is later."""

from __future__ import annotations

from datetime import date

import pytest

from selfstudy.gather.dates import days, is_stale, latest

TODAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("2024", (date(2024, 1, 1), date(2024, 12, 31))),
        ("2024-02", (date(2024, 2, 1), date(2024, 2, 29))),
        ("2024-02-03", (date(2024, 2, 3), date(2024, 2, 3))),
        ("2024-02-03T10:00:00Z", (date(2024, 2, 3), date(2024, 2, 3))),
        ("2026", (date(2026, 1, 1), TODAY)),  # no day of it lies in the future
        ("2026-11-29", None),  # a page that says it is from tomorrow is not the newest: it lies
        ("9999", None),
        ("0000", None),
        ("2024-13", None),
        ("2024-02-31", None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_days_of_a_date(written: str, found: tuple[date, date] | None) -> None:
    assert days(written, TODAY) == found


def test_stale_is_only_what_is_certainly_older() -> None:
    assert is_stale("2025-11-27", 365, TODAY)
    assert not is_stale("2025-11-28", 365, TODAY)
    assert not is_stale("2025", 365, TODAY)  # may be of December
    assert is_stale("2024", 365, TODAY)
    assert not is_stale("", 1, TODAY)
    assert not is_stale("2999", 1, TODAY)


@pytest.mark.parametrize(
    ("sides", "side"),
    [
        ([["2024"], ["2025"]], 1),
        ([["2025-03"], ["2025"]], None),  # either may be later
        ([["2025-03-01"], ["2025-03-01"]], None),
        ([["2025-03-01"], [""]], None),  # one is not dated
        ([["2020", "2025-06-01"], ["2024-12-31", ""]], 0),
        ([["2023"], ["2024"], ["2025"]], 2),
        ([["2024"], ["2999"]], None),
    ],
)
def test_the_later_side(sides: list[list[str]], side: int | None) -> None:
    assert latest(sides, TODAY) == side
