"""MAUVE: areas worked by hand, and two sets of vectors that are alike or not.

The area of two histograms is that of mauve-text 0.4.0, which is not installed here; whole figures differ from
its as those of two seeds do, because k-means begins elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.judging.mauve import area, bootstrap, mauve


def test_areas() -> None:
    same = np.array([0.5, 0.3, 0.2])
    assert area(same, same) == pytest.approx(1)
    # no bucket is shared: at the ends KL is 0 and about 14, between them the products are all below e^-5
    assert area(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(0.0040, abs=1e-3)
    assert area(same, np.array([0.1, 0.3, 0.6])) == pytest.approx(0.5789393058069949, abs=1e-12)


def test_an_area_against_the_integral_of_the_curve() -> None:
    """Of (p, 1-p) and (1-p, p), with many more points than are used."""
    p, q = np.array([0.7, 0.3]), np.array([0.3, 0.7])
    shares = np.linspace(1, 0, 100_001)[:, None]
    mixtures = shares * p + (1 - shares) * q
    x, y = (np.exp(-5 * (one * np.log(one / mixtures)).sum(1)) for one in (q, p))
    whole = ((y[1:] + y[:-1]) / 2 * np.diff(x)).sum() + (1 + y[0]) / 2 * x[0] + y[-1] / 2 * (1 - x[-1])
    assert area(p, q) == pytest.approx(whole, abs=1e-3)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_it_is_a_share_and_the_same_either_way(counts: list[int], random: object) -> None:
    p = np.array([1 + counts[0], *counts[1:]], dtype=float)
    q = p[::-1].copy()
    p, q = p / p.sum(), q / q.sum()
    assert 0 < area(p, q) <= 1 + 1e-9
    assert area(p, q) == pytest.approx(area(q, p), abs=1e-9)


def clouds(shift: float, texts: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of two sources, of which the second lies elsewhere by `shift`."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(texts, 8)) + 1, rng.normal(size=(texts, 8)) + 1 + shift * (np.arange(8) < 4)


def test_the_further_apart_the_lower() -> None:
    near, apart, far = (mauve(*clouds(shift), seed=0) for shift in (0, 1.5, 9))
    assert near > 0.9
    assert near > apart > far
    assert far < 0.1
    assert mauve(*clouds(1.5), seed=0) == apart


def test_an_interval_holds_its_value_and_is_narrower_of_more() -> None:
    few, many = (bootstrap(*clouds(1.0, texts), seed=0, resamples=8) for texts in (40, 400))
    assert few.low < few.value < few.high
    assert many.low < many.value < many.high
    assert many.high - many.low < few.high - few.low
    assert bootstrap(*clouds(1.0, 40), seed=0, resamples=8) == few


def test_odd_vectors() -> None:
    same = np.ones((3, 4))
    assert mauve(same, same, seed=0) == pytest.approx(1)
    assert mauve(np.zeros((3, 4)), np.zeros((3, 4)), seed=0) == pytest.approx(1)
    assert 0 <= mauve(np.eye(1, 4), np.eye(1, 4, 1), seed=0) < 0.1
    for one, other in ((np.ones((3, 4)), np.ones((2, 4))), (np.ones((0, 4)), np.ones((0, 4)))):
        with pytest.raises(ValueError, match="as many vectors"):
            mauve(one, other, seed=0)
    with pytest.raises(ValueError, match="finite"):
        mauve(same, same * np.nan, seed=0)
