"""Which suites stand in the way of promotion, and which do not."""

from __future__ import annotations

import pytest

from selfstudy.verify.gains import Resampling
from selfstudy.verify.gate import SHOWN, Gate, decide
from selfstudy.verify.rules import Reason, Rules
from selfstudy.verify.suites.base import Measure
from selfstudy.verify.suites.figures import SuiteResult, compared
from selfstudy.verify.suites.rules import not_worse, not_worse_in

from ..made_up import LEARNED, both
from .towns_suite import arm_of, item

HOW = Resampling(0.95, 2000, 0)
RULES = Rules(0.05, HOW)
RIGHT = (Measure("right", "right", main=True),)
PERPLEXITY = (Measure("perplexity", "nats", per="tokens", exp=True, better="lower", main=True),)


def said(result: SuiteResult, margin: float = 0.05) -> Reason:
    return not_worse_in("towns", result, margin, RULES)


def shares(before: int, after: int, n: int, kept: int | None = None) -> SuiteResult:
    """So many of n right before and after; `kept`: right both times."""
    both_times = min(before, after) if kept is None else kept
    first = [True] * before + [False] * (n - before)
    second = [True] * both_times + [False] * (before - both_times)
    second += [True] * (after - both_times) + [False] * (n - before - (after - both_times))
    return compared(arm_of("base", first), arm_of("taught", second), RIGHT, HOW)


def test_kept_within_the_margin_passes() -> None:
    found = said(shares(200, 200, 400))
    assert found.found == "passed"
    assert "right from 0.500 to 0.500 on 400 items" in found.sentence
    assert said(shares(200, 240, 400)).found == "passed"
    assert said(shares(200, 198, 400)).found == "passed"


def test_a_few_items_that_are_all_alike_prove_nothing() -> None:
    """The bootstrap's interval of 20 unchanged items is [0, 0]; Wilson's bound of 0 lost in 20 is 0.16."""
    found = said(shares(10, 10, 20))
    assert found.found == "cannot tell"
    assert found.more is not None
    assert 40 <= found.more <= 80
    assert f"about {found.more} more would tell" in found.sentence


def test_clearly_worse_is_refused_and_a_smaller_strength_may_help() -> None:
    found = said(shares(300, 240, 400))
    assert found.found == "refused"
    assert found.remain is not None
    assert 0 < found.remain < 0.3
    assert said(shares(300, 240, 400), margin=0.0).remain is None


def test_worse_perhaps_by_chance_cannot_be_told() -> None:
    found = said(shares(12, 10, 24, kept=5))
    assert found.found == "cannot tell"
    assert "perhaps by chance" in found.sentence
    assert found.more is not None
    assert found.more > 20


def test_an_interval_too_wide_with_a_mean_inside_cannot_be_told() -> None:
    found = said(shares(100, 99, 200, kept=60), margin=0.02)
    assert found.found == "cannot tell"
    assert found.more is not None
    assert found.more > 200


def perplexities(after: float, n: int) -> SuiteResult:
    first = [item(str(i), nats=1.0 + 0.1 * (i % 3), tokens=1.0) for i in range(n)]
    second = [item(str(i), "taught", nats=after + 0.11 * (i % 3), tokens=1.0) for i in range(n)]
    return compared(first, second, PERPLEXITY, HOW)


def test_lower_is_better_where_it_is() -> None:
    assert said(perplexities(0.5, 60), margin=0.1).found == "passed"
    assert said(perplexities(1.5, 60), margin=0.1).found == "refused"
    assert said(perplexities(0.5, 10), margin=0.1).found == "cannot tell"  # ten units


def test_too_many_failed_refuse_and_what_was_not_measured_never_passes() -> None:
    before = arm_of("base", [True] * 100)
    some = [item(str(n), "taught", error="gone" if n < 6 else None) for n in range(100)]
    found = said(compared(before, some, RIGHT, HOW))
    assert found.found == "refused"
    assert "6 of 100 items failed" in found.sentence
    assert "gone" in found.sentence
    broken = [item(str(n), "taught", error="gone") for n in range(100)]
    assert said(compared(before, broken, RIGHT, HOW)).found == "refused"
    assert said(compared(before, [], RIGHT, HOW)).found == "cannot tell"
    assert said(SuiteResult()).found == "cannot tell"
    assert said(SuiteResult(unmeasured="no log-probabilities")).found == "cannot tell"


def test_a_model_that_falls_silent_does_not_pass_by_the_rest() -> None:
    before = arm_of("base", [True] * 400)
    after = [item(str(n), "taught") if n % 2 else item(str(n), "taught", refused=1.0) for n in range(400)]
    found = said(compared(before, after, RIGHT, HOW))
    assert found.found == "cannot tell"
    assert "of 200 of 400 items" in found.sentence


def gate(result: SuiteResult) -> Gate:
    rules = Rules(0.05, HOW, reworded=False)
    checks = [*LEARNED, *both("known", 100, 100, 100), *both("reading", 100, 100, 100)]
    return decide(checks, rules, suites={"towns": result})


@pytest.mark.parametrize("margin", [0.05, None])
def test_the_gate_goes_by_a_suite_with_a_margin_and_shows_every_one(margin: float | None) -> None:
    worse = shares(300, 240, 400).model_copy(update={"margin": margin})
    found = gate(worse)
    assert found.promoted == (margin is None)
    assert found.suites["towns"].figures["right"].difference == pytest.approx(-0.15)
    assert any("Suite towns" in reason for reason in found.reasons) == (margin is not None)
    assert gate(shares(300, 300, 400).model_copy(update={"margin": margin})).promoted
    assert Gate.model_validate(found.model_dump(mode="json")).suites == found.suites


def test_a_fall_in_a_suite_alone_may_be_undone_by_a_smaller_strength() -> None:
    worse = shares(300, 240, 400).model_copy(update={"margin": 0.05})
    assert gate(worse).remain == not_worse({"towns": worse}, RULES)[0].remain
    few = shares(10, 10, 20).model_copy(update={"margin": 0.05})
    assert gate(few).remain is None
    assert gate(few).more["towns"] > 0


def test_a_gate_of_before_there_were_suites_is_read() -> None:
    old = {"promoted": True, "verdict": "promoted", "reasons": ["x"]}
    assert Gate.model_validate(old).suites == {}
    assert "suites" not in Gate.model_validate(old).model_dump(mode="json")
    assert "suites" in SHOWN


def parted(
    before: list[float], after: list[float], measure: Measure = RIGHT[0], about: int = 1
) -> SuiteResult:
    """Items with these parts, so many of them about one thing."""
    arms = []
    for arm, values in (("base", before), ("taught", after)):
        arms.append(
            [
                item(f"i{n}", arm, about=f"t{n // about}", **{measure.part: value})
                for n, value in enumerate(values)
            ]
        )
    return compared(arms[0], arms[1], [measure], HOW)


def test_one_item_neither_promotes_nor_refuses() -> None:
    assert said(shares(0, 1, 1)).found == "cannot tell"
    assert said(shares(1, 0, 1)).found == "cannot tell"
    assert said(shares(3, 0, 3)).found == "cannot tell"  # McNemar p 0.25
    assert said(shares(0, 1, 1), margin=0.9).found == "passed"  # not one lost of one excludes that


def test_unchanged_shares_prove_no_more_than_unchanged_right_and_wrong() -> None:
    """One item that is half right made 20 unchanged ones pass at any margin; so did two about a thing."""
    rights = said(parted([1.0] * 20, [1.0] * 20), margin=0.02)
    halves = said(parted([1.0] * 19 + [0.5], [1.0] * 19 + [0.5]), margin=0.02)
    things = said(parted([1.0] * 40, [1.0] * 40, about=2), margin=0.02)
    assert {one.found for one in (rights, halves, things)} == {"cannot tell"}
    assert rights.more == halves.more == things.more
    assert said(parted([0.5] * 500, [0.5] * 500), margin=0.02).found == "passed"
    changing = [0.4 + 0.01 * (n % 20) for n in range(40)]
    assert said(parted(changing, [one + 0.01 for one in changing]), margin=0.02).found == "passed"
    ties = Measure("wins", "right", main=True, only_after=True, neutral=0.5)
    assert said(parted([0.0] * 20, [0.5] * 20, ties), margin=0.001).found == "cannot tell"


def test_a_perplexity_beyond_all_bounds_is_said_in_few_digits() -> None:
    before = [item(f"i{n}", "base", nats=20.0, tokens=10.0) for n in range(30)]
    after = [item(f"i{n}", "taught", nats=7000.0, tokens=10.0) for n in range(30)]
    found = said(compared(before, after, PERPLEXITY, HOW))
    assert found.found == "refused"
    assert len(found.sentence) < 250
