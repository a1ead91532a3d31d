"""Two orders, biases and win rates, worked by hand; judges made to fail."""

from __future__ import annotations

import random

import pytest

from selfstudy.judging.pairwise import Choice, JudgedPair, compare, length_controlled


@pytest.mark.parametrize(
    ("plain", "exchanged", "points", "outcome"),
    [
        ("first", "second", 1.0, "win"),
        ("second", "first", 0.0, "loss"),
        ("tie", "tie", 0.5, "tie"),
        ("first", "tie", 0.75, "half"),
        ("tie", "first", 0.25, "half"),
        ("first", "first", 0.5, "inconsistent"),
        ("second", "second", 0.5, "inconsistent"),
        (None, "second", None, "missing"),
        ("first", None, None, "missing"),
    ],
)
def test_both_orders(
    plain: Choice | None, exchanged: Choice | None, points: float | None, outcome: str
) -> None:
    assert (JudgedPair(plain, exchanged).points, JudgedPair(plain, exchanged).outcome) == (points, outcome)


WIN, LOSS, TIE = JudgedPair("first", "second"), JudgedPair("second", "first"), JudgedPair("tie", "tie")
HALF, FIRST, SECOND = JudgedPair("first", "tie"), JudgedPair("first", "first"), JudgedPair("second", "second")
LOST = JudgedPair("first", None)


def test_a_comparison_by_hand() -> None:
    found = compare([WIN] * 6 + [LOSS] + [TIE, HALF, FIRST, FIRST, SECOND, LOST], seed=1)
    assert (found.counted, found.missing) == (12, 1)
    assert found.win_rate.value == pytest.approx((6 + 0.5 + 0.75 + 1.5) / 12)
    assert (found.wins, found.losses, found.ties, found.halves, found.inconsistent) == (6, 1, 1, 1, 3)
    assert found.p == pytest.approx(2 * (1 + 7) / 2**7)  # 7 decided, 1 or none lost
    assert found.consistency == 8 / 12
    assert (found.primacy, found.recency) == (2, 1)
    first, second = 6 + 1 + 1 + 4, 6 + 1 + 2  # what was said of half a pair does not count
    assert found.position_bias == pytest.approx((first - second) / (first + second))


def test_a_judge_that_always_takes_the_first_is_seen_through() -> None:
    found = compare([FIRST] * 50, seed=1)
    assert (found.win_rate.value, found.consistency, found.position_bias, found.p) == (0.5, 0.0, 1.0, 1.0)
    assert (found.primacy, found.recency) == (50, 0)


def test_a_judge_that_draws_lots_is_half_consistent_and_unbiased() -> None:
    rng = random.Random(1)
    lots = [JudgedPair(rng.choice(("first", "second")), rng.choice(("first", "second"))) for _ in range(4000)]
    found = compare(lots, seed=1)
    assert found.consistency == pytest.approx(0.5, abs=0.03)
    assert found.position_bias == pytest.approx(0, abs=0.03)
    assert found.win_rate.low < 0.5 < found.win_rate.high


def test_what_was_not_read_is_no_tie() -> None:
    assert compare([WIN, LOST, LOST], seed=1).win_rate.value == 1.0
    assert compare([TIE], seed=1).position_bias is None
    with pytest.raises(ValueError, match="of 1 pairs none"):
        compare([LOST], seed=1)


def test_a_judge_that_takes_the_longer_one_is_corrected() -> None:
    rng = random.Random(2)
    ours, theirs = ([rng.randint(50, 150) + more for _ in range(600)] for more in (40, 0))
    points = [float(a > b) for a, b in zip(ours, theirs, strict=True)]
    assert sum(points) / 600 > 0.75
    found = length_controlled(points, ours, theirs)
    assert found == pytest.approx(0.5, abs=0.1)


def test_length_does_not_take_the_merit_of_what_is_not_longer() -> None:
    rng = random.Random(3)
    lengths = [[rng.randint(50, 150) for _ in range(600)] for _ in range(2)]
    points = [float(rng.random() < 0.8) for _ in range(600)]
    assert length_controlled(points, *lengths) == pytest.approx(sum(points) / 600, abs=0.02)


def test_length_control_in_numbers() -> None:
    """theta, phi = -.26829, .87912 by scipy's BFGS on the same loss, written down apart."""
    ours, theirs = [100 + 37 * i % 101 for i in range(200)], [100 + 53 * i % 89 for i in range(200)]
    chances = [6 if a > b else 3 for a, b in zip(ours, theirs, strict=True)]
    points = [float(7 * i % 10 < chance) for i, chance in enumerate(chances)]
    assert sum(points) / 200 == pytest.approx(0.455)
    assert length_controlled(points, ours, theirs) == pytest.approx(0.433326, abs=1e-6)


def test_length_that_is_always_the_same_cannot_be_told_from_merit() -> None:
    points = [float(i % 10 < 9) for i in range(200)]
    ours, theirs = [300 + i % 10 for i in range(200)], [100 + i % 7 for i in range(200)]
    assert length_controlled(points, ours, theirs) is None
    for bad in ([2.0] * 200, [float("nan")] * 200):
        with pytest.raises(ValueError, match=r"in \[0, 1\]"):
            length_controlled(bad, [1, 2] * 100, [2, 2] * 100)


def test_length_control_needs_pairs_and_lengths() -> None:
    assert length_controlled([1.0] * 99, [5] * 99, [3] * 99) is None
    assert length_controlled([1.0] * 100, [5] * 100, [3] * 100) is None
    with pytest.raises(ValueError):
        length_controlled([1.0], [5, 6], [3])
