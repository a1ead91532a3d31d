"""Figures as a person reads them."""

from __future__ import annotations

from selfstudy.stats import Interval
from selfstudy.verbs.intervals import NOT_MEASURED, interval


def test_an_estimate_and_its_interval() -> None:
    assert interval(Interval(0.5, 0.25, 1.0)) == "0.500 (0.250 to 1.000)"
    assert interval(None) == NOT_MEASURED
