"""The geometry of the charts, by hand."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.show.charts import BINS, BarPart, Change, bar, changes, curve, histogram, ticks
from selfstudy.summary import Summary

GAIN = {"before": 0.5, "after": 0.55, "difference": 0.05, "n": 90, "facts": 90, "won": 9, "lost": 4}


def test_a_bar_is_divided_as_the_counts_are_and_shows_a_single_one() -> None:
    assert bar([("a", 3), ("b", 0), ("c", 1)]) == [BarPart("a", 0.0, 75.0), BarPart("c", 75.0, 25.0)]
    rare = bar([("a", 100_000), ("b", 1)])[1]
    assert rare.width > 0.3
    assert rare.left + rare.width == pytest.approx(100, abs=0.02)
    assert bar([]) == []


def test_histogram_by_hand() -> None:
    found = histogram("x", [0.0, 0.04, 0.05, 0.5, 1.0])
    assert found.counts[0] == 2
    assert found.counts[1] == 1
    assert found.counts[BINS // 2] == 1
    assert found.counts[-1] == 1
    assert found.heights[0] == 1.0
    assert found.heights[1] == 0.5
    assert found.mean == pytest.approx(0.318)
    assert histogram("none", []).mean is None


def test_curve_leaves_out_what_is_not_finite_and_counts_it() -> None:
    found = curve("sft", {"taught": [(0, 4.0), (5, nan), (10, 1.0)], "control": [(10, inf)]}, 100, 40)
    assert found.lines == (("taught", "0.0,0.0 100.0,30.0"),)
    assert found.last == (("taught", 1.0),)
    assert found.broken == 2


def test_curve_of_negative_losses_and_of_nothing() -> None:
    below = curve("dpo", {"taught": [(0, -1.0), (1, 1.0)]}, 100, 40)
    assert below.lines[0][1] == "0.0,40.0 100.0,0.0"
    assert curve("none", {}).lines == ()
    assert curve("flat", {"taught": [(0, 0.0)]}).lines[0][1].startswith("0.0,")


def test_long_curves_are_thinned() -> None:
    found = curve("sft", {"taught": [(i, 1.0) for i in range(10_000)]})
    assert len(found.lines[0][1].split()) <= 600


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_lie_inside_and_are_few(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert len(found) <= 6
    assert all(low - span * 1e-6 <= t <= low + span * (1 + 1e-6) for t in found)


def change(before: float | None, after: float | None, up: bool = True, width: float = 0.0) -> Change:
    def around(value: float | None) -> tuple[float, float] | None:
        return None if value is None or not width else (value - width, value + width)

    return Change("x", "X", "", up, before, after, around(before), around(after), 9)


def test_a_change_is_judged_by_direction_and_noise() -> None:
    assert change(0.1, 0.9).word == "better"
    assert change(0.1, 0.9, up=False).word == "worse"
    assert change(0.5, 0.5).word == "unchanged"
    assert change(0.5, 0.6, width=0.1).word == "within noise"
    assert change(0.5, 0.5, width=0.1).word == "unchanged"
    assert change(None, 0.6).word == ""
    assert change(None, 0.6).difference is None


@pytest.mark.parametrize(
    ("low", "p", "word"),
    [
        (0.01, 0.02, "better"),
        (0.0, 0.02, "within noise"),
        (0.01, 0.06, "within noise"),
        (None, 0, "within noise"),
    ],
)
def test_the_paired_test_of_the_gate_decides_what_is_noise(low: float | None, p: float, word: str) -> None:
    side = {"n": 90, "failed": 0}
    summary = {
        "before": {"known_correct": 0.5},
        "after": {"known_correct": 0.55},
        "details": {
            "before": {"known_correct": side | {"low": 0.4, "high": 0.6}},
            "after": {"known_correct": side | {"low": 0.45, "high": 0.65}},  # overlaps, as unpaired ones do
        },
        "gains": {} if low is None else {"known": GAIN | {"low": low, "high": 0.09, "p": p}},
        "confidence": 0.95,
    }
    (found,) = changes(Summary.model_validate(summary))
    assert found.word == word


@pytest.mark.parametrize(("low", "word"), [(0.01, "better"), (-0.01, "within noise")])
def test_the_paired_interval_of_cited_answers_decides_what_is_noise(low: float, word: str) -> None:
    gain = {"before": 0.2, "after": 0.3, "difference": 0.1, "low": low, "high": 0.2, "n": 40, "facts": 20}
    side = {"n": 40, "low": 0.1, "high": 0.5}
    summary = {
        "before": {"trust_score": 0.2},
        "after": {"trust_score": 0.3},
        "details": {"before": {"trust_score": side}, "after": {"trust_score": side}},
        "cited": {"trust_score": gain},
    }
    (found,) = changes(Summary.model_validate(summary))
    assert (found.label, found.word, found.count) == ("Trust-Score", word, 40)


@pytest.mark.parametrize(("high", "word"), [(-0.01, "better"), (0.01, "within noise")])
def test_less_that_is_made_up_is_better(high: float, word: str) -> None:
    gain = {"before": 0.9, "after": 0.2, "difference": -0.7, "low": -0.8, "high": high, "n": 40, "facts": 40}
    arms = {"before": {"unanswerable_answered": 0.9}, "after": {"unanswerable_answered": 0.2}}
    (found,) = changes(Summary.model_validate(arms | {"refusing": {"unanswerable_answered": gain}}))
    assert (found.label, found.word) == ("Made up", word)


def test_changes_read_a_summary() -> None:
    summary = {
        "before": {"gap_correct": 0.1},
        "after": {"gap_correct": 0.9, "known_correct": None},
        "details": {"before": {}, "after": {"gap_correct": {"n": 7, "failed": 0, "low": 0.8, "high": 1.0}}},
    }
    (found,) = changes(Summary.model_validate(summary))
    assert (found.before, found.after, found.count) == (0.1, 0.9, 7)
    assert (found.before_interval, found.after_interval) == (None, (0.8, 1.0))


def test_the_gain_stands_beside_that_of_the_control() -> None:
    arms = {"before": {"gap_correct": 0.1}, "after": {"gap_correct": 0.9}}
    (alone,) = changes(Summary.model_validate(arms))
    (beside,) = changes(Summary.model_validate(arms | {"control": {"gap_correct": 0.25}}))
    assert alone.control_difference is None
    assert beside.control_difference == pytest.approx(0.15)
