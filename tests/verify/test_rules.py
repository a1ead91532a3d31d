"""What a rule finds: passed, refused, or that it cannot tell, and how many more questions would."""

from __future__ import annotations

import pytest

from selfstudy.records import Arm, Check
from selfstudy.stats import wilson
from selfstudy.verify.gate import decide
from selfstudy.verify.noise import Noise
from selfstudy.verify.rules import Rules

from .made_up import HOW, LEARNED, both, checks, in_orders

RULES = Rules(margin=0.02, resampling=HOW)


def test_a_fall_that_chance_explains_is_no_refusal() -> None:
    """1 of 30 is more than the margin, and nothing: 1,423 of such would tell it from a fall of 0.02."""
    gate = decide(LEARNED + both("known", 30, 29, 30), RULES)
    assert (gate.verdict, gate.promoted) == ("cannot tell", False)
    assert gate.more == {"known": 1423 - 30}
    assert "which so few questions do by chance; about 1,393 more questions would tell" in gate.reasons[0]
    assert decide(LEARNED + both("known", 100, 94, 100), RULES).verdict == "refused"
    assert decide(both("gap", 10, 9, 100) + both("known", 30, 29, 30), RULES).verdict == "refused"


def test_what_is_lost_in_part_counts_in_part() -> None:
    """Thirds of 30 facts lost and of 21 won are a fall of 3 of 240; 30 whole ones of 240 would be refused."""

    def asked(arm: Arm, right: list[int]) -> list[Check]:
        """Each fact in three orders, right in the first so many."""
        return in_orders(arm, "general", [[n > order for order in range(3)] for n in right])

    before = [3] * 150 + [0] * 90
    after = [2] * 30 + [3] * 120 + [1] * 21 + [0] * 69
    gate = decide(LEARNED + asked("base", before) + asked("taught", after), RULES)
    assert gate.promoted, gate.reasons
    told = next(one for one in gate.reasons if one.startswith("Known and general"))
    assert "720 answers about 240 facts" in told
    assert "10.0 lost, 7.0 won, in parts of 30 and 21 facts" in told
    whole = [0] * 30 + [3] * 120 + [3] * 21 + [0] * 69
    gate = decide(LEARNED + asked("base", before) + asked("taught", whole), RULES)
    assert gate.verdict != "promoted"
    more = [2] * 60 + [3] * 90 + [0] * 90  # a fall of 20 of 240, surely, though no fact is lost
    gate = decide(LEARNED + asked("base", before) + asked("taught", more), RULES)
    assert gate.verdict == "refused"
    half = [2] * 18 + [3] * 132 + [0] * 90  # of 6: beyond the margin, and it may be chance
    gate = decide(LEARNED + asked("base", before) + asked("taught", half), RULES)
    assert gate.gains["held_out"].moved == pytest.approx(18 / 9)


def test_a_rise_that_is_not_sure_says_how_many_questions_would_make_it() -> None:
    gate = decide(both("gap", 0, 3, 30) + both("known", 100, 100, 100), RULES)
    assert gate.verdict == "cannot tell"
    assert gate.more == {"gap": 71 - 30}  # 7.849 * (0.1 - 0.01) / 0.01


@pytest.mark.parametrize(("won", "asked", "more"), [(2, 2, 4), (5, 5, 1), (3, 4, 4), (4, 5, 3)])
def test_of_few_gaps_it_is_said_how_many_more_would_tell(won: int, asked: int, more: int) -> None:
    """McNemar's exact test sees no rise in fewer than 6 facts won, though all of them were."""
    gate = decide(both("gap", 0, won, asked) + both("known", 100, 100, 100), RULES)
    assert (gate.verdict, gate.more) == ("cannot tell", {"gap": more})
    assert f"about {more} more question{'s' * (more > 1)} would tell." in gate.reasons[0]
    assert decide(both("gap", 0, 6, 6) + both("known", 100, 100, 100), RULES).promoted


def test_a_rise_within_noise_is_none() -> None:
    noise = Noise(questions=100, repeats=3, answers=200, flipped=30, changed=40, flip_rate=0.2, spread=0.06)
    rules = Rules(margin=0.02, resampling=HOW, noise={"gap": noise})
    gate = decide(both("gap", 10, 18, 100) + both("known", 100, 100, 100), rules)
    assert gate.gains["gap"].low > 0
    assert gate.verdict == "cannot tell"
    assert "no more than noise alone can move it (0.0877)" in gate.reasons[0]


def test_one_loss_of_five_is_no_refusal() -> None:
    """Of 5 with a chance of 0.02 each one is lost 1 time in 10 (1 - 0.98^5): chance explains that."""
    learned = [check for check in LEARNED if check.target != "reading"] + both("known", 200, 200, 200)
    assert decide(learned + both("reading", 5, 4, 5), RULES).verdict == "cannot tell"
    assert decide(learned + both("reading", 5, 2, 5), RULES).verdict == "refused"


def test_noise_that_could_not_be_measured_leaves_it_open() -> None:
    silent = Noise(
        questions=0, repeats=3, answers=0, flipped=0, changed=0, failed=100, flip_rate=0.0, spread=0.0
    )
    kept = LEARNED + both("known", 200, 200, 200)
    assert decide(kept, RULES).promoted
    gate = decide(kept, Rules(margin=0.02, resampling=HOW, noise={"known": silent}))
    assert gate.verdict == "cannot tell"
    said = "no question was answered every time (100 of the repeats failed)"
    assert gate.reasons[0] == f"Known questions: {said}, so how far noise moves them is not known."
    assert f"known questions: {said}" in gate.notes[-1]


@pytest.mark.parametrize(
    ("before", "after", "of", "remain"),
    [
        (300, 276, 300, 0.25),  # fell by .08 of which .02 are allowed
        (300, 285, 300, 0.4),
        (300, 297, 300, None),  # promoted
        (30, 29, 30, None),  # so few questions exclude no fall
    ],
)
def test_what_share_of_a_fall_may_remain(before: int, after: int, of: int, remain: float | None) -> None:
    gate = decide(LEARNED + both("known", before, after, of), RULES)
    assert gate.remain == (None if remain is None else pytest.approx(remain))
    assert bool(gate.forgot) == (remain is not None)


def test_a_fall_that_is_not_excluded_has_to_shrink_too() -> None:
    """1 of 60 lost is within the margin, but .0886 is not excluded; of none lost .0602 would not be."""
    gate = decide(LEARNED + both("known", 60, 59, 60), RULES)
    assert gate.verdict == "cannot tell"
    low, high = wilson(0, 60, 0.95).high, wilson(1, 60, 0.95).high
    assert gate.remain == pytest.approx((0.07 - low) / (high - low))


@pytest.mark.parametrize(
    "made",
    [
        both("gap", 10, 10, 100) + both("known", 300, 270, 300),
        LEARNED + both("known", 300, 270, 300) + checks("taught", "gap", [None] * 9, "novel"),
    ],
    ids=["nothing learned", "something failed"],
)
def test_a_smaller_strength_helps_only_against_falls(made: list[Check]) -> None:
    gate = decide(made, RULES)
    assert gate.verdict == "refused"
    assert (gate.remain, gate.forgot) == (None, ())
