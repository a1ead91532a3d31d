"""Paired comparisons over made-up checks: the fact is the unit."""

from __future__ import annotations

import pytest

from selfstudy.records import Check
from selfstudy.verify.gains import Unmeasured, measure
from selfstudy.verify.gate import Rules, decide

from .made_up import HOW, LEARNED, both, checks, in_orders, share

RULES = Rules(margin=0.02, resampling=HOW)
LATER = Rules(margin=0.02, resampling=HOW, original=True)


def test_only_what_the_original_model_was_asked_is_compared_with_it() -> None:
    fresh = both("known", 150, 150, 300)
    original = checks("original", "known", share(100, 100))
    gain = decide(LEARNED + fresh + original, LATER).gains["known_original"]
    assert (gain.n, gain.before, gain.after) == (100, 1.0, 1.0)


def test_questions_of_one_fact_are_one_unit() -> None:
    def told(facts: int, each: int) -> list[Check]:
        right = [i < facts * each for i in range(facts * each)]
        rows = checks("base", "gap", [False] * len(right)) + checks("taught", "gap", right)
        return [c.model_copy(update={"fact": f"fact {int(c.question_id[3:]) // each}"}) for c in rows]

    kept = both("known", 100, 100, 100) + both("reading", 100, 100, 100)
    assert not decide(told(5, 4) + kept, RULES).promoted, "20 questions of 5 facts are no 20 answers"
    assert decide(told(20, 1) + kept, RULES).promoted
    gain = decide(told(5, 4) + kept, RULES).gains["gap"]
    assert (gain.n, gain.facts, gain.won) == (20, 5, 5)
    assert gain.p == pytest.approx(2 * 0.5**5)
    assert "on 20 answers about 5 facts" in decide(told(5, 4) + kept, RULES).reasons[0]


def test_the_interval_does_not_shrink_when_every_fact_is_asked_twice() -> None:
    once = both("gap", 10, 60, 100) + both("known", 100, 100, 100)
    twice = [c.model_copy(update={"fact": c.question_id}) for c in once]
    twice += [c.model_copy(update={"question_id": f"{c.question_id} again", "id": ""}) for c in twice]
    one, two = decide(once, RULES).gains["gap"], decide(twice, RULES).gains["gap"]
    assert (two.low, two.high, two.p) == (one.low, one.high, one.p)
    assert (one.n, two.n, two.facts) == (100, 200, 100)


def test_a_fact_that_is_lost_in_one_order_of_three_is_lost_by_a_third() -> None:
    before = [[True] * 3] * 60 + [[False] * 3] * 40
    after = [[True, False, True]] * 6 + before[6:97] + [[False, False, True]] * 3
    gain = measure(in_orders("base", "general", before) + in_orders("taught", "general", after), HOW).gains[
        "general"
    ]
    assert (gain.n, gain.facts, gain.lost, gain.won) == (300, 100, 6, 3)
    assert (gain.fell, gain.rose) == (pytest.approx(2.0), pytest.approx(1.0))
    assert gain.difference == pytest.approx(-0.01)
    whole = both("general", 60, 54, 100)
    assert measure(whole, HOW).gains["general"].fell == pytest.approx(6.0)


def test_what_did_not_come_back_is_told_apart_from_what_was_not_asked() -> None:
    rows = checks("base", "known", share(5, 5)) + checks("taught", "known", [None] * 5)
    found = measure(rows, HOW)
    assert not found.gains
    assert found.unmeasured == {"known": Unmeasured(asked=5, error="out of memory")}
    assert not measure([], HOW).unmeasured


def test_the_control_s_own_gain_is_beside_that_of_the_taught_model() -> None:
    rows = both("gap", 10, 60, 100) + checks("control", "gap", share(20, 100))
    gains = measure(rows, HOW).gains
    assert gains["control"].difference == pytest.approx(0.4)
    assert gains["control_gain"].difference == pytest.approx(0.1)
    assert list(gains) == ["gap", "control", "control_gain"]


def test_some_questions_of_a_fact_may_rise_and_others_fall() -> None:
    rows = checks("base", "gap", [True, False, False, False]) + checks(
        "taught", "gap", [False, True, True, True]
    )
    rows = [c.model_copy(update={"fact": "one" if c.question_id in ("gap0", "gap1") else ""}) for c in rows]
    gain = measure(rows, HOW).gains["gap"]
    assert (gain.n, gain.facts, gain.won, gain.lost) == (4, 3, 2, 0)
    assert (gain.before, gain.after) == (pytest.approx(1 / 6), pytest.approx(5 / 6))
