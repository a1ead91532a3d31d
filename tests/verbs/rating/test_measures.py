"""Figures of a reward, worked by hand."""

from __future__ import annotations

import random
from itertools import combinations
from statistics import fmean

import pytest

from selfstudy.judging.judge import JudgeUse
from selfstudy.judging.rewards import Reward
from selfstudy.verbs.rating.choosing import ALIKE, choose
from selfstudy.verbs.rating.given import PromptAnswers
from selfstudy.verbs.rating.measures import RewardMeasures, measure

from .given import prompt, rewards

PROMPTS = [
    prompt("aaaa", "bbb", "cc", correct="rww"),
    prompt("ddddd", "e", correct="rw"),
    prompt("ffffff", "ggggggg"),
    prompt("h", repeats=2),
]
REWARDS = [rewards(0.8, 0.8, 0.2), rewards(0.5, 0.6), rewards(None, 0.1), rewards(0.5)]


def measured(prompts: list[PromptAnswers], given: list[list[Reward]], use: JudgeUse) -> RewardMeasures:
    outcomes = [choose(one, some, 0.0) for one, some in zip(prompts, given, strict=True)]
    return measure("missing", prompts, given, outcomes, use)


def test_all_of_it_by_hand() -> None:
    found = measured(PROMPTS, REWARDS, JudgeUse(calls=8, tokens=1000))
    assert (found.answers, found.scored, found.problem) == (8, 7, "nothing was said")
    assert found.unscored == pytest.approx(1 / 8)
    assert (found.compared, found.tied) == (4, 1)  # three couples of the first prompt, one of the second
    values = [0.8, 0.8, 0.2, 0.5, 0.6, 0.1, 0.5]
    mean = sum(values) / 7
    assert found.mean == pytest.approx(mean)
    assert found.spread == pytest.approx((sum((v - mean) ** 2 for v in values) / 7) ** 0.5)
    # right: .8 .5; wrong: .8 .2 .6: .8 ties .8, beats .2, .6; .5 loses to .8 and .6, beats .2
    assert found.auroc == pytest.approx((0.5 + 1 + 1 + 0 + 1 + 0) / 6)
    assert found.auroc_bounds is None  # too few for an interval
    assert found.keyed == 5
    assert (found.ordered, found.orders) == (pytest.approx((0.5 + 1 + 0) / 3), 3)
    assert found.pairs == 2
    assert found.dropped == {"unscored": 1, "identical": 1}
    assert (found.calls, found.tokens) == (4, 500)


def test_correlation_with_length_by_hand() -> None:
    found = measured([prompt("a", "bb", "ccc"), prompt("dddd")], [rewards(1, 2, 4), rewards(3)], JudgeUse())
    assert found.length == pytest.approx(0.8)  # ranks 1 2 4 3 against 1 2 3 4: 1 - 6 * 2 / 60


def test_nothing_measured_is_none_and_no_zero() -> None:
    found = measured([prompt("a", "b")], [rewards(None, None)], JudgeUse(calls=2, tokens=9))
    assert (found.mean, found.spread, found.length, found.auroc, found.ordered) == (None,) * 5
    assert (found.calls, found.tokens, found.unscored) == (None, None, 1.0)


def test_one_reward_for_all_has_no_spread() -> None:
    found = measured([prompt("a", "bb", correct="rw")], [rewards(0.5, 0.5)], JudgeUse())
    assert (found.spread, found.length, found.auroc, found.ordered) == (0, None, 0.5, 0.5)
    assert (found.tied, found.compared) == (1, 1)


@pytest.mark.parametrize("seed", range(20))
def test_ties_and_orders_are_those_of_all_couples(seed: int) -> None:
    draw = random.Random(seed)
    values = [draw.choice([0.1, 0.2, 0.3]) + draw.randint(-3, 3) * 0.6 * ALIKE for _ in range(12)]
    keys = "".join(draw.choice("rw?") for _ in values)
    found = measured([prompt(*"abcdefghijkl", correct=keys)], [rewards(*values)], JudgeUse())
    assert found.tied == sum(abs(a - b) <= ALIKE for a, b in combinations(values, 2))
    couples = [
        0.5 if abs(a - b) <= ALIKE else float(a > b)
        for a, right in zip(values, keys, strict=True)
        for b, wrong in zip(values, keys, strict=True)
        if (right, wrong) == ("r", "w")
    ]
    assert (found.ordered, found.orders) == (fmean(couples) if couples else None, len(couples))
