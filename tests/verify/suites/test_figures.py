"""Figures of suites against numbers worked by hand."""

from __future__ import annotations

from math import e, log

import pytest

from selfstudy.records import SuiteItem
from selfstudy.verify.gains import Resampling
from selfstudy.verify.suites.base import Measure
from selfstudy.verify.suites.figures import SuiteFigure, compared

from .towns_suite import MEASURES, arm_of, item

HOW = Resampling(0.95, 2000, 0)
RIGHT = Measure("right", "right", main=True)


def one(before: list[SuiteItem], after: list[SuiteItem], measure: Measure = RIGHT) -> SuiteFigure:
    return compared(before, after, [measure], HOW).figures[measure.name]


def test_right_and_wrong_are_paired_by_item_and_tested() -> None:
    """4 of 10 before, 9 of 10 after: 6 won, 1 lost; exact p of 6 of 7 is 2 (1 + 7) / 128."""
    before = arm_of("base", [True] * 4 + [False] * 6)
    after = arm_of("taught", [False] + [True] * 9)
    found = one(before, list(reversed(after)))
    assert (found.before, found.after) == (0.4, 0.9)
    assert found.difference == pytest.approx(0.5)
    assert (found.won, found.lost, found.n, found.units) == (6, 1, 10, 10)
    assert found.p == pytest.approx(0.125)
    assert found.low is not None
    assert found.high is not None
    assert -0.1 <= found.low <= 0.1 < 0.8 <= found.high <= 1.0
    assert found.main
    assert found.word == "within noise"


def test_the_pairing_makes_the_interval_narrow() -> None:
    """Of 200 items one more is right after: unpaired the interval would be +-0.1."""
    before = arm_of("base", [n % 2 == 0 for n in range(200)])
    after = arm_of("taught", [n % 2 == 0 or n == 1 for n in range(200)])
    found = one(before, after)
    assert found.difference == pytest.approx(0.005)
    assert found.low == 0
    assert found.high is not None
    assert found.high <= 0.02
    assert found.before_interval is not None
    assert found.before_interval[0] < 0.45


def test_what_failed_in_one_arm_counts_in_neither_and_is_counted() -> None:
    before = arm_of("base", [True, True, False, False])
    after = [
        item("0", "taught", error="gone"),
        item("1", "taught", right=False),
        item("2", "taught"),
        item("3", "taught", characters=3.0),
    ]
    found = compared(before, after, [RIGHT], HOW)
    figure = found.figures["right"]
    assert (figure.n, figure.before, figure.after) == (2, 0.5, 0.5)
    assert (figure.failed_before, figure.failed_after) == (0, 1)
    assert (figure.missing_before, figure.missing_after) == (0, 1)  # 3 was answered, and not measured
    assert (found.failed_after, found.error, found.asked_after) == (1, "gone", 4)


def test_what_was_not_asked_is_missing() -> None:
    found = one(arm_of("base", [True] * 3), arm_of("taught", [True] * 2))
    assert (found.n, found.missing_after, found.missing_before) == (2, 1, 0)


def test_what_fails_in_a_task_is_not_held_against_another() -> None:
    """TASK/NUMBER: the generation that failed in both arms is no item of mc1."""
    mc1 = [item(f"mc1/{n}", mc1=1.0) for n in range(3)]
    broken = [item(f"generation/{n}", error="no judge") for n in range(3)]
    measures = [Measure("mc1", "mc1", main=True), Measure("truthful", "truthful")]
    found = compared([*mc1, *broken], [*mc1, *broken], measures, HOW)
    assert (found.figures["mc1"].failed_before, found.figures["mc1"].n) == (0, 3)
    assert found.figures["truthful"].failed_after == 3
    assert (found.failed_before, found.failed_after) == (3, 3)


def test_a_ratio_is_of_sums_and_perplexity_its_exponential() -> None:
    """Nats 2 and 4 over tokens 1 and 5: e^(6/6) = e before; half the nats after: e^0.5."""
    measure = Measure("perplexity", "nats", per="tokens", exp=True, better="lower", main=True)
    before = [item("a", nats=2.0, tokens=1.0), item("b", nats=4.0, tokens=5.0)]
    after = [item("a", "taught", nats=1.0, tokens=1.0), item("b", "taught", nats=2.0, tokens=5.0)]
    found = one(before, after, measure)
    assert found.before == pytest.approx(e)
    assert found.after == pytest.approx(e**0.5)
    assert found.difference == pytest.approx(e**0.5 - e)
    assert found.p is None
    assert found.gain is not None
    assert found.gain[0] > 0
    assert found.word == "too few"  # two units, whose bootstrap sees no doubt
    many = [
        one(
            [item(str(n), nats=2.0 + n % 3, tokens=2.0) for n in range(units)],
            [item(str(n), "taught", nats=1.0 + n % 3, tokens=2.0) for n in range(units)],
            measure,
        ).word
        for units in (19, 20)
    ]
    assert many == ["too few", "better"]
    assert found.before_interval is not None
    assert found.before_interval[1] == pytest.approx(e**2)  # both draws are a


def test_a_unit_is_drawn_whole() -> None:
    """Two things asked 50 times each: two units, so the interval reaches from one to the other."""
    before = [item(str(n), about=str(n % 2), right=n % 2 == 0) for n in range(100)]
    found = one(before, [])
    assert (found.before, found.units, found.n) == (0.5, 2, 100)
    assert found.before_interval == (0.0, 1.0)
    both = one(before, [item(str(n), "taught", about=str(n % 2)) for n in range(100)])
    assert both.p is None  # McNemar's test would take 100 items for 100 units


def test_of_one_model_alone_there_is_its_own_interval() -> None:
    found = compared(arm_of("base", [True] * 6 + [False] * 4), [], MEASURES, HOW)
    figure = found.figures["right"]
    assert (figure.before, figure.after, figure.difference, figure.gain) == (0.6, None, None, None)
    assert figure.before_interval is not None
    assert figure.before_interval[0] < 0.6 < figure.before_interval[1]
    assert figure.word == ""


def test_what_compares_with_before_has_nothing_before() -> None:
    measure = Measure("wins", "wins", main=True, only_after=True)
    found = one(
        [item("a", wins=0.0)], [item("a", "taught", wins=1.0), item("b", "taught", wins=0.0)], measure
    )
    assert (found.before, found.after, found.n, found.missing_before) == (None, 0.5, 2, 0)


def test_nothing_measured_is_no_zero() -> None:
    found = one([item("a", error="x")], [item("a", "taught", error="x")])
    assert (found.before, found.after, found.n, found.failed_after) == (None, None, 0, 1)
    whole = Measure("share", "part", per="whole")
    assert one([item("a", part=0.0, whole=0.0)], [], whole).before is None
    assert one([item("a", part=float("nan"))], [], Measure("part", "part")).before is None


def test_no_draw_divides_by_nothing_and_nothing_overflows() -> None:
    whole = Measure("share", "part", per="whole")
    items = [item("a", part=1.0, whole=2.0), item("b", part=0.0, whole=0.0)]
    found = one(items, [one.model_copy(update={"arm": "taught"}) for one in items], whole)
    assert (found.before, found.difference, found.units) == (0.5, 0.0, 1)
    far = Measure("perplexity", "nats", per="tokens", exp=True, better="lower")
    assert one([item("a", nats=1e6, tokens=1.0)], [], far).before == pytest.approx(e**700)
    assert one([item("a", nats=log(3), tokens=1.0)], [], far).before == pytest.approx(3)


def test_zeros_beside_other_numbers_are_no_shares() -> None:
    """Likeness of which all happens to be 0 before: no Wilson interval, no McNemar."""
    measure = Measure("likeness", "likeness")
    before = [item(str(n), likeness=0.0) for n in range(4)]
    found = one(before, [item(str(n), "taught", likeness=0.25) for n in range(4)], measure)
    assert (found.before_interval, found.p, found.difference) == ((0.0, 0.0), None, 0.25)
