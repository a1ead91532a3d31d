"""Figures as a person reads them. What was not measured says so; it is never a zero."""

from __future__ import annotations

from selfstudy.stats import Interval

NOT_MEASURED = "not measured"


def interval(value: Interval | None) -> str:
    """An estimate with its interval."""
    return NOT_MEASURED if value is None else f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"
