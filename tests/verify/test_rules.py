"""What a rule finds: passed, refused, or that it cannot tell, and how many more questions would."""

from __future__ import annotations

from selfstudy.verify.gate import decide
from selfstudy.verify.noise import Noise
from selfstudy.verify.rules import Rules

from .made_up import HOW, LEARNED, both

RULES = Rules(margin=0.02, resampling=HOW)


def test_a_fall_that_chance_explains_is_no_refusal() -> None:
    """1 of 30 is more than the margin, and nothing: 1,423 of such would tell it from a fall of 0.02."""
    gate = decide(LEARNED + both("known", 30, 29, 30), RULES)
    assert (gate.verdict, gate.promoted) == ("cannot tell", False)
    assert gate.more == {"known": 1423 - 30}
    assert "which so few questions do by chance; about 1,393 more questions would tell" in gate.reasons[0]
    assert decide(LEARNED + both("known", 100, 94, 100), RULES).verdict == "refused"
    assert decide(both("gap", 10, 9, 100) + both("known", 30, 29, 30), RULES).verdict == "refused"


def test_a_rise_that_is_not_sure_says_how_many_questions_would_make_it() -> None:
    gate = decide(both("gap", 0, 3, 30) + both("known", 100, 100, 100), RULES)
    assert gate.verdict == "cannot tell"
    assert gate.more == {"gap": 71 - 30}  # 7.849 * (0.1 - 0.01) / 0.01


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
