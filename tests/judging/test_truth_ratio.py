"""Truth ratios worked by hand, and the test between two of them."""

from __future__ import annotations

import math

import pytest

from selfstudy.judging.truth_ratio import likelihood, same_distribution, truth_ratio


def test_likelihood_is_the_geometric_mean_of_the_tokens() -> None:
    assert likelihood([math.log(0.5), math.log(0.125)]) == pytest.approx(0.25)
    assert math.isnan(likelihood([]))


def test_worked_by_hand() -> None:
    """p(right) = .5; p(wrong) = .25 (of two tokens .5 and .125) and .1: (.5 + .2) / 2, arithmetic."""
    wrong = [[math.log(0.5), math.log(0.125)], [math.log(0.1)]]
    assert truth_ratio([math.log(0.5)] * 3, wrong) == pytest.approx(0.35)
    geometric = math.sqrt(0.5 * 0.2)
    assert truth_ratio([math.log(0.5)] * 3, wrong) != pytest.approx(geometric)


def test_length_does_not_count() -> None:
    short, long = [math.log(0.3)], [math.log(0.3)] * 50
    assert truth_ratio(short, [long]) == pytest.approx(1.0)


def test_what_cannot_be_told_is_no_number() -> None:
    assert math.isnan(truth_ratio([], [[-1.0]]))
    assert math.isnan(truth_ratio([-1.0], []))
    assert math.isnan(truth_ratio([-1.0], [[-1.0], []]))
    assert truth_ratio([-math.inf], [[-1.0]]) == math.inf
    assert truth_ratio([-1.0], [[-math.inf]]) == 0.0
    assert truth_ratio([-1e6], [[-1.0]]) == math.inf  # too large for a float, and no error


def test_kolmogorov_smirnov() -> None:
    """Distribution functions of {1, 2, 3, 4} and {3, 4, 5, 6} are .5 apart below 3."""
    found = same_distribution([1, 2, 3, 4], [3, 4, 5, 6])
    assert found is not None
    assert found.statistic == pytest.approx(0.5)
    same = same_distribution([0.1, 0.2, math.nan], [0.1, 0.2])
    assert same is not None
    assert (same.statistic, same.p) == (0.0, 1.0)
    apart = same_distribution([i / 100 for i in range(100)], [2 + i / 100 for i in range(100)])
    assert apart is not None
    assert apart.p < 1e-20
    assert same_distribution([math.nan], [1.0]) is None
