"""Counts of pages, in a line for a person."""

from __future__ import annotations

from collections import Counter

from selfstudy.library.services.page_tally import PageTally


def test_the_commonest_reason_comes_first_and_all_are_counted() -> None:
    assert PageTally("web").line() == ""
    assert PageTally("web", 1).line() == "web: 1 page read"
    reasons = Counter(robots=2, status=30, time=1, size=1, type=1, tls=1, limit=4)
    said = PageTally("web", 1200, reasons).line()
    assert said.startswith("web: 1,200 pages read, 40 not: status 30, limit 4, robots 2, ")
    assert said.endswith("other reasons 2")
    tally = PageTally("web", 2, Counter(robots=1))
    assert tally.told() == "web: 2 pages read, 1 not: robots 1"
    assert tally.told() == ""


def test_a_page_that_is_found_again_counts_once() -> None:
    tally = PageTally("web")
    for _ in range(3):
        tally.count("a")
        tally.count("b", "robots")
    assert tally.told() == "web: 1 page read, 1 not: robots 1"
    tally.count("a")
    assert tally.line() == "web: 1 page read"
