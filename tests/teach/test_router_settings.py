"""Which settings of a router are chosen, by hand-made scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from selfstudy.stats import wilson
from selfstudy.teach.router_settings import RouterSetting, Scores, Trials, allowed, chosen, figures

LOOSE, STRICT = RouterSetting(0.5, False, 0.0), RouterSetting(0.9, True, 0.0)


def scores(rows: Sequence[Sequence[float]]) -> Scores:
    """Of texts with the base and two adapters."""
    return Scores.of(np.array(rows, dtype=np.float32).reshape(-1, 3))


def trials(
    negatives: Sequence[Sequence[float]],
    held_out: Sequence[Sequence[float]],
    owner: Sequence[int],
    near: float = 0,
) -> Trials:
    return Trials(scores(negatives), scores(held_out), np.array(owner, np.int64), scores([[0, near, 0]]))


@pytest.mark.parametrize(("count", "most"), [(0, 0), (4, 0), (70, 0), (73, 0), (150, 2), (1000, 36)])
def test_as_many_may_go_wrong_as_the_interval_allows(count: int, most: int) -> None:
    assert allowed(count, 0.05) == most
    assert most == 0 or wilson(most, count).high <= 0.05 < wilson(most + 1, count).high


def test_of_equal_adapters_the_last_is_best() -> None:
    found = Scores.of(np.array([[0.1, 0.5, 0.5], [0.6, 0.5, 0.4]], dtype=np.float32))
    assert found.best.tolist() == [1, 0]
    assert found.clear(0.2).tolist() == [True, False]


def test_a_threshold_is_above_what_the_bound_leaves_out() -> None:
    """Of 200 known questions three may activate: the fourth best is left out, and all below it."""
    known = [[0, 0.9, 0.0]] * 3 + [[0, 0.5, 0.0]] * 197
    found = chosen(
        [LOOSE], lambda _: trials(known, [[0, 0.8, 0], [0, 0.4, 0], [0, 0, 0.4]], [0, 0, 1]), 0.05, 2
    )
    assert allowed(200, 0.05) == found.false == 3
    assert found.thresholds.tolist() == [0.5001, 0.5001]
    assert found.covered == pytest.approx(1 / 3)
    told = figures(found, 200, trials(known, [], []), 0.05)
    assert (told["activated"], told["within_bound"], told["covered"]) == (3, True, None)


def test_where_the_bound_is_kept_a_threshold_is_half_of_the_least_similarity() -> None:
    found = chosen(
        [LOOSE], lambda _: trials([], [[0, 0.8, 0], [0, 0.4, 0], [0, 0.3, 0.9]], [0, 0, 1]), 0.05, 2
    )
    assert found.thresholds.tolist() == [0.2, 0.45]
    assert (found.covered, found.wrong) == (1.0, 0.0)


def test_a_score_at_the_threshold_activates_as_it_does_in_the_router() -> None:
    """0.7 in float32 is less than 0.7, and the router rounds."""
    found = chosen([LOOSE], lambda _: trials([[0, 0.6999, 0]], [[0, 0.7, 0]], [1]), 0.05, 2)
    assert found.floor == 0.7
    assert found.wrong == 1.0


def test_what_covers_most_less_what_is_wrong_is_chosen() -> None:
    """The loose setting covers both questions and takes in a near miss; the strict one covers them alone."""
    made = {
        LOOSE: trials([], [[0, 0.9, 0]] * 2, [0, 0], near=0.9),
        STRICT: trials([], [[0, 0.9, 0]] * 2, [0, 0]),
    }
    assert chosen([LOOSE, STRICT], made.__getitem__, 0.05, 2).setting == STRICT
    made[STRICT] = trials([], [[0, 0.9, 0.95]] * 2, [0, 0])  # the wrong adapter
    assert chosen([LOOSE, STRICT], made.__getitem__, 0.05, 2).setting == LOOSE


def test_of_equals_the_first_is_chosen() -> None:
    same = trials([], [[0, 0.9, 0]], [0])
    assert chosen([STRICT, LOOSE], lambda _: same, 0.05, 2).setting == STRICT
