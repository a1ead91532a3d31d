"""Statistics against numbers worked by hand, and properties that must hold for any data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy import stats

pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
scored = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=40
)


def test_wilson_by_hand() -> None:
    # p = 8/10, z = 1.959964: centre (0.8 + 0.192073) / 1.384146, half width 0.226677
    value, low, high = stats.wilson(8, 10)
    assert value == 0.8
    assert (low, high) == pytest.approx((0.490162, 0.943318), abs=1e-5)
    assert stats.wilson(0, 20).low == 0.0
    assert stats.wilson(20, 20).high == 1.0
    with pytest.raises(ValueError, match="found 3 of 2"):
        stats.wilson(3, 2)


@given(n=st.integers(1, 10_000), data=st.data())
def test_wilson_holds_the_proportion(n: int, data: st.DataObject) -> None:
    value, low, high = stats.wilson(data.draw(st.integers(0, n)), n)
    assert 0 <= low <= value <= high <= 1


def test_mcnemar_by_hand() -> None:
    # 1 lost, 6 gained: 2 * (C(7,0) + C(7,1)) / 2^7 = 16 / 128
    before = [True] + [False] * 6 + [True] * 5
    after = [False] + [True] * 6 + [True] * 5
    assert stats.mcnemar(before, after) == pytest.approx(0.125)
    assert stats.mcnemar(after, before) == pytest.approx(0.125)
    assert stats.mcnemar([True, False], [True, False]) == 1.0
    with pytest.raises(ValueError):
        stats.mcnemar([True], [])


def test_paired_bootstrap_agrees_with_theory() -> None:
    # 30 gained, 10 lost of 200: difference 0.1, variance (0.2 - 0.01) / 200
    before = [False] * 30 + [True] * 10 + [True] * 160
    after = [True] * 30 + [False] * 10 + [True] * 160
    value, low, high = stats.paired_bootstrap(before, after, seed=1)
    half = 1.959964 * math.sqrt(0.19 / 200)
    assert value == pytest.approx(0.1)
    assert (low, high) == pytest.approx((0.1 - half, 0.1 + half), abs=0.01)


def test_a_ratio_resamples_units_whole() -> None:
    # 40 dialogues of one turn that all ask, 40 of nine turns that never do: 40 of 400
    value, low, high = stats.bootstrap_ratio([1] * 40 + [0] * 40, [1] * 40 + [9] * 40, seed=1)
    assert value == pytest.approx(0.1)
    # delta method: part - 0.1 whole is +-0.9, of 80 units, and a whole is 5 on average
    half = 1.959964 * 0.9 / math.sqrt(80) / 5
    assert (low, high) == pytest.approx((0.1 - half, 0.1 + half), abs=0.01)
    assert stats.bootstrap_ratio([2, 2], [4, 4], seed=1) == (0.5, 0.5, 0.5)
    for parts, wholes in [([1], []), ([], []), ([0], [0]), ([math.nan], [1]), ([1], [math.inf])]:
        with pytest.raises(ValueError):
            stats.bootstrap_ratio(parts, wholes, seed=1)


def test_statistics_of_sums_are_resampled_together() -> None:
    units = [[1.0, 1.0]] * 40 + [[0.0, 1.0]] * 40 + [[0.0, 9.0]] * 40

    def statistics(sums: stats.Floats) -> stats.Floats:
        return np.stack([sums[:, 0] / sums[:, 1], sums[:, 1]], axis=1)

    ratio, whole = stats.bootstrap_sums(units, statistics, seed=1)
    parts, wholes = zip(*units, strict=True)
    assert ratio == stats.bootstrap_ratio(parts, wholes, seed=1)
    assert whole.value == 440
    half = 1.959964 * math.sqrt(120) * np.std(wholes)
    assert (whole.low, whole.high) == pytest.approx((440 - half, 440 + half), rel=0.03)
    for bad in ([], [1.0, 2.0], [[math.nan, 1.0]]):
        with pytest.raises(ValueError):
            stats.bootstrap_sums(bad, statistics, seed=1)


def test_bootstrap_equals_resampling_indices() -> None:
    values = np.random.default_rng(0).normal(size=80)
    draws = np.random.default_rng(1).integers(0, 80, size=(20_000, 80))
    want = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    got = stats.bootstrap_mean(values, seed=2, resamples=20_000)
    assert got[1:] == pytest.approx(tuple(want), abs=0.01)


@settings(max_examples=40)
@given(pairs=pairs, seed=st.integers(0, 2**31))
def test_paired_bootstrap_properties(pairs: list[tuple[bool, bool]], seed: int) -> None:
    before, after = [b for b, _ in pairs], [a for _, a in pairs]
    one = stats.paired_bootstrap(before, after, seed=seed, resamples=300)
    assert one == stats.paired_bootstrap(before, after, seed=seed, resamples=300)
    assert -1 <= one.low <= one.high <= 1
    assert one.value == pytest.approx(np.mean(after) - np.mean(before))
    if before == after:
        assert one == (0.0, 0.0, 0.0)


def test_bootstrap_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(500)
    monkeypatch.setattr(stats, "_CELLS", 2_000)  # 4 resamples at a time
    cut = stats.bootstrap_mean(values, seed=3, resamples=401)
    assert cut.low < cut.value < cut.high
    assert sum(stats._chunks(401, 500)) == 401


def test_bootstrap_refuses_what_it_cannot_use() -> None:
    with pytest.raises(ValueError, match="finite"):
        stats.bootstrap_mean([], seed=0)
    with pytest.raises(ValueError, match="finite"):
        stats.bootstrap_mean([0.1, float("nan")], seed=0)
    with pytest.raises(ValueError, match="found 1 and 2"):
        stats.paired_bootstrap([1], [1, 0], seed=0)


def test_auroc_by_hand() -> None:
    # positives .9 .5, negatives .5 .1: pairs 1, 1, 1/2, 1 of 4
    assert stats.auroc([0.9, 0.5, 0.5, 0.1], [True, True, False, False]) == pytest.approx(0.875)
    assert stats.auroc([0.3, 0.3], [True, False]) == 0.5
    assert stats.auroc([0.3, 0.4], [True, True]) is None


@given(items=scored)
def test_auroc_counts_pairs(items: list[tuple[float, bool]]) -> None:
    scores, labels = [s for s, _ in items], [p for _, p in items]
    up = [s for s, p in items if p]
    down = [s for s, p in items if not p]
    value = stats.auroc(scores, labels)
    if not up or not down:
        assert value is None
        return
    wins = sum((u > d) + (u == d) / 2 for u in up for d in down)
    assert value == pytest.approx(wins / (len(up) * len(down)))
    assert stats.auroc([-s for s in scores], labels) == pytest.approx(1 - value)


def test_auroc_interval_narrows_and_needs_some_items_of_each_class() -> None:
    rng = np.random.default_rng(4)
    wide, narrow = (_interval(rng.normal(1, 1, n), rng.normal(0, 1, n)) for n in (40, 4_000))
    assert narrow.high - narrow.low < (wide.high - wide.low) / 3
    # two normals one standard deviation apart: Phi(1 / sqrt 2) = 0.7602
    assert narrow.low - 0.01 < 0.7602 < narrow.high + 0.01
    assert stats.auroc_interval([0.9, 0.1], [True, False]) is None
    assert stats.auroc_interval([0.9] * 4 + [0.1] * 90, [True] * 4 + [False] * 90) is None
    assert stats.auroc_interval([0.9] * 5 + [0.1] * 90, [True] * 5 + [False] * 90) is not None


@pytest.mark.parametrize(("n", "least"), [(5, 0.55), (10, 0.74), (100, 0.96)])
def test_perfect_separation_of_few_is_not_certain(n: int, least: float) -> None:
    up, down = _interval(np.ones(n), np.zeros(n)), _interval(np.zeros(n), np.ones(n))
    assert up.high == up.value == 1.0
    assert least < up.low < least + 0.1
    assert down.low == down.value == 0.0
    assert down.high == pytest.approx(1 - up.low)
    equal = _interval(np.ones(n), np.ones(n))
    assert equal.low < equal.value == 0.5 < equal.high


SHAPES = {
    "normal, .76": (lambda rng, n: rng.normal(1, 1, n), lambda rng, n: rng.normal(0, 1, n), 0.76025),
    "normal, .92": (lambda rng, n: rng.normal(2, 1, n), lambda rng, n: rng.normal(0, 1, n), 0.92135),
    "normal, .98": (lambda rng, n: rng.normal(3, 1, n), lambda rng, n: rng.normal(0, 1, n), 0.98305),
    "no difference": (lambda rng, n: rng.random(n), lambda rng, n: rng.random(n), 0.5),
    "two values": (lambda rng, n: rng.random(n) < 0.8, lambda rng, n: rng.random(n) < 0.3, 0.75),
    "ends": (lambda rng, n: rng.random(n) < 0.7, lambda rng, n: np.full(n, 0.5), 0.7),
    "one side wide": (lambda rng, n: rng.normal(1, 3, n), lambda rng, n: rng.normal(0, 0.3, n), 0.63011),
}


@pytest.mark.parametrize(("positives", "negatives"), [(8, 8), (10, 30), (40, 10), (60, 60)])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_the_interval_holds_the_true_auroc(
    shape: tuple[Any, Any, float], positives: int, negatives: int
) -> None:
    up, down, true = shape
    rng = np.random.default_rng(positives * 1000 + negatives)
    held = []
    for _ in range(1000):
        found = _interval(up(rng, positives).astype(float), down(rng, negatives).astype(float))
        assert 0 <= found.low <= found.value <= found.high <= 1
        held.append(found.low <= true <= found.high)
    assert np.mean(held) >= 0.92  # "ends" is a proportion of ten, which leaps: Wilson too holds .92 there


def _interval(up: npt.NDArray[np.float64], down: npt.NDArray[np.float64]) -> stats.Interval:
    labels = [True] * len(up) + [False] * len(down)
    found = stats.auroc_interval(np.concatenate([up, down]).tolist(), labels)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "other", "by_hand"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8),  # 1 - 6 * 4 / (5 * 24)
        ([1, 1, 2], [1, 2, 3], 0.75**0.5),  # ranks 1.5 1.5 3 and 1 2 3: 1.5 / sqrt(1.5 * 2)
    ],
)
def test_spearman_by_hand(one: list[float], other: list[float], by_hand: float) -> None:
    assert stats.spearman(one, other) == pytest.approx(by_hand)


def test_spearman_needs_a_spread() -> None:
    assert stats.spearman([1, 1], [1, 2]) is None
    assert stats.spearman([], []) is None
    assert stats.spearman([1], [1]) is None
    with pytest.raises(ValueError):
        stats.spearman([1, 2], [1])
