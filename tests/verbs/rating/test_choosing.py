"""Pairs, ties, margins by hand; what is no pair says why."""

from __future__ import annotations

import pytest

from selfstudy.verbs.rating.choosing import RatedPair, choose

from .given import prompt, rewards


def test_the_best_beats_the_worst() -> None:
    found = choose(prompt("a", "b", "c"), rewards(0.2, 0.9, -0.4), 0.0)
    assert isinstance(found, RatedPair)
    assert (found.chosen, found.rejected) == ("b", "c")
    assert (found.chosen_reward.value, found.rejected_reward.value) == (0.9, -0.4)


@pytest.mark.parametrize(
    ("values", "margin", "expected"),
    [
        ((0.5, 0.5), 0.0, "tie"),
        ((0.1 + 0.2, 0.3), 0.0, "tie"),  # rounding makes no preference
        ((None, 0.5), 0.0, "unscored"),
        ((None, None), 0.0, "unscored"),
        ((0.4, 0.0), 0.4, "within the margin"),
        ((0.7, 0.3), 0.4, "within the margin"),  # .39999 or .40000001: beyond means beyond
        ((0.4, 0.0), 0.5, "within the margin"),
    ],
)
def test_what_is_no_pair(values: tuple[float | None, ...], margin: float, expected: str) -> None:
    assert choose(prompt("a", "b"), rewards(*values), margin) == expected


def test_beyond_the_margin_is_a_pair() -> None:
    assert isinstance(choose(prompt("a", "b"), rewards(0.41, 0.0), 0.4), RatedPair)


def test_an_unscored_answer_is_neither_best_nor_worst() -> None:
    found = choose(prompt("a", "b", "c"), rewards(0.1, None, 0.3), 0.0)
    assert isinstance(found, RatedPair)
    assert (found.chosen, found.rejected) == ("c", "a")


def test_one_answer_or_the_same_one_twice() -> None:
    assert choose(prompt("a"), rewards(0.5), 0.0) == "one answer"
    assert choose(prompt("a", repeats=1), rewards(0.5), 0.0) == "identical"
