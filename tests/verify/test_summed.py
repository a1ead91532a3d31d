"""Figures of sums: paired by question, facts drawn whole."""

from __future__ import annotations

import numpy as np
import pytest

from selfstudy.stats import Floats, ratios
from selfstudy.verify.gains import Resampling
from selfstudy.verify.summed import Summed, of_one, of_two

HOW = Resampling(0.95, 200, 0)


def share(sums: Floats) -> Floats:
    return np.stack([ratios(sums[:, 0], sums[:, 1])], axis=1)


def rows(right: list[float], fact: str = "") -> list[Summed]:
    return [(fact or str(n), (one, 1.0)) for n, one in enumerate(right)]


def test_a_figure_and_what_it_rests_on() -> None:
    (found,), facts = of_one(rows([1, 1, 0, 0]), share, HOW)
    assert (found.value, facts) == (0.5, 4)
    assert found.low < 0.5 < found.high
    (alone,), facts = of_one(rows([1, 1, 0, 0], "one"), share, HOW)
    assert (alone.low, alone.high, facts) == (0.5, 0.5, 1)


def test_two_arms_are_drawn_together() -> None:
    mixed = rows([1, 0] * 10)
    ((before, after, same),), _ = of_two(mixed, mixed, share, HOW)
    assert (before, after, same.value, same.low, same.high) == (0.5, 0.5, 0, 0, 0)
    ((_, _, rose),), facts = of_two(rows([0.0] * 20), mixed, share, HOW)
    assert (rose.value, facts) == (pytest.approx(0.5), 20)
    assert 0 < rose.low < 0.5 < rose.high
    with pytest.raises(ValueError, match="zip"):
        of_two(mixed[1:], mixed, share, HOW)
