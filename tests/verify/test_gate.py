"""The promotion gate over made-up checks: what opens it, what keeps it shut, and how it says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from selfstudy.records import Check, Wording
from selfstudy.verify.figures import outcome
from selfstudy.verify.gate import Gate, Rules, decide, refuse

RULES = Rules(margin=0.02, confidence=0.95, resamples=2_000, seed=0)
CONTROLLED = Rules(margin=0.02, confidence=0.95, resamples=2_000, seed=0, control=True)
Arm = Literal["base", "taught", "control"]
Target = Literal["gap", "known", "reading"]


def checks(
    arm: Arm, target: Target, right: Sequence[bool | None], wording: Wording = "original"
) -> list[Check]:
    """One check per entry of `right`; None is a failed one."""
    return [
        Check(
            question_id=f"{target}{i}",
            arm=arm,
            target=target,
            wording=wording,
            asked=f"{wording} {i}?",
            answer="" if good is None else "a",
            expected="e",
            correct=good,
            error="out of memory" if good is None else None,
        )
        for i, good in enumerate(right)
    ]


def share(right: int, of: int) -> list[bool | None]:
    """`right` right ones first."""
    return [i < right for i in range(of)]


def both(target: Target, before: int, after: int, of: int, wording: Wording = "original") -> list[Check]:
    return checks("base", target, share(before, of), wording) + checks(
        "taught", target, share(after, of), wording
    )


LEARNED = both("gap", 10, 95, 100) + both("gap", 8, 90, 100, "reworded") + both("reading", 100, 100, 100)


def test_learned_and_kept_is_promoted() -> None:
    gate = decide(LEARNED + both("known", 300, 300, 300), RULES)
    assert gate.promoted
    assert set(gate.gains) == {"gap", "gap_reworded", "known", "reading"}
    gain = gate.gains["gap"]
    assert (gain.before, gain.after, gain.n) == (0.1, 0.95, 100)
    assert 0.75 < gain.low < gain.difference < gain.high < 0.93
    assert gain.p < 1e-20
    assert "from 0.100 to 0.950 on 100 questions" in gate.reasons[0]
    assert Gate.model_validate_json(gate.model_dump_json()) == gate


@pytest.mark.parametrize(
    ("kept", "promoted"), [(300, True), (297, True), (294, True), (293, False), (270, False)]
)
def test_a_fall_of_known_questions_counts_against_the_margin(kept: int, promoted: bool) -> None:
    gate = decide(LEARNED + both("known", 300, kept, 300), RULES)
    assert gate.promoted is promoted
    if not promoted:
        assert len(gate.reasons) == 1
        assert "Known questions" in gate.reasons[0]
        assert f"{kept / 300:.3f} on 300 questions" in gate.reasons[0]


def test_a_fall_of_one_percent_made_of_gains_and_losses_passes() -> None:
    after = [i >= 6 for i in range(297)] + [True] * 3  # 6 lost, 3 won
    known = checks("base", "known", [True] * 297 + [False] * 3) + checks("taught", "known", after)
    gate = decide(LEARNED + known, RULES)
    assert gate.gains["known"].difference == pytest.approx(-0.01)
    assert gate.promoted


def test_reading_may_not_fall_either() -> None:
    gate = decide(
        both("gap", 10, 95, 100) + both("known", 300, 300, 300) + both("reading", 100, 90, 100), RULES
    )
    assert not gate.promoted
    assert gate.reasons[0].startswith("Reading from a page: correctness fell by more than the margin of 0.02")


def test_too_few_questions_to_exclude_a_fall() -> None:
    before: list[bool | None] = [True] * 10 + [False]
    after: list[bool | None] = [False] + [True] * 10
    gate = decide(LEARNED + checks("base", "known", before) + checks("taught", "known", after), RULES)
    assert not gate.promoted
    assert "too few questions" in gate.reasons[0]


@pytest.mark.parametrize(("n", "promoted"), [(10, False), (51, False), (52, True)])
def test_few_questions_without_a_loss_exclude_little(n: int, promoted: bool) -> None:
    gate = decide(LEARNED + both("known", n, n, n), RULES)
    assert gate.promoted is promoted


def test_one_gap_learned_is_no_proof() -> None:
    kept = both("known", 100, 100, 100) + both("reading", 100, 100, 100)
    assert not decide(both("gap", 0, 1, 1) + kept, RULES).promoted
    assert not decide(both("gap", 0, 5, 5) + kept, RULES).promoted
    assert decide(both("gap", 0, 6, 6) + kept, RULES).promoted


def test_a_sentence_learned_by_heart_is_no_fact() -> None:
    gate = decide(
        both("gap", 10, 95, 100)
        + both("gap", 10, 11, 100, "reworded")
        + both("known", 100, 100, 100)
        + both("reading", 100, 100, 100),
        RULES,
    )
    assert not gate.promoted
    assert gate.reasons[0].startswith("Gaps in wordings held out of training: correctness rose, but no rise")


def test_nothing_to_learn_from() -> None:
    gate = decide(both("known", 100, 100, 100), RULES)
    assert not gate.promoted
    assert "no gap question" in gate.reasons[0]
    assert not decide([], RULES).promoted


def test_without_known_questions_reading_speaks_and_it_says_so() -> None:
    gate = decide(LEARNED, RULES)
    assert gate.promoted
    assert any("none was there to check" in reason for reason in gate.reasons)
    assert not decide(both("gap", 10, 95, 100), RULES).promoted


def test_failed_checks_are_left_out_and_too_many_shut_the_gate() -> None:
    def taught(failed: int) -> list[Check]:
        right: list[bool | None] = [None] * failed + [True] * (100 - failed)
        return (
            checks("base", "gap", share(10, 100))
            + checks("taught", "gap", right)
            + both("known", 100, 100, 100)
            + both("reading", 100, 100, 100)
        )

    few = decide(taught(4), RULES)
    assert few.promoted
    assert (few.gains["gap"].n, few.gains["gap"].failed, few.gains["gap"].after) == (96, 4, 1.0)
    many = decide(taught(30), RULES)
    assert not many.promoted
    assert "30 of 100 questions failed" in many.reasons[0]
    assert not decide(taught(100), RULES).promoted


def test_a_control_has_to_be_beaten() -> None:
    base = LEARNED + both("known", 100, 100, 100)
    weak = decide(base + checks("control", "gap", share(12, 100)), CONTROLLED)
    assert weak.promoted
    assert weak.gains["control"].before == 0.12
    strong = decide(base + checks("control", "gap", share(95, 100)), CONTROLLED)
    assert not strong.promoted
    assert "not better on gaps" in strong.reasons[0]
    missing = decide(base, CONTROLLED)
    assert not missing.promoted
    assert "control" in missing.reasons[0]


def test_refuse() -> None:
    assert refuse("Training failed.") == Gate(promoted=False, reasons=("Training failed.",))


def test_outcome_counts_and_leaves_out() -> None:
    rows = (
        checks("base", "gap", [True, False, None, False])
        + checks("base", "gap", [True, True, False, False], "trained")
        + checks("base", "known", share(3, 4))
        + checks("taught", "gap", share(4, 4))
    )
    figures = outcome(rows, resamples=500)
    before, details = figures["before"], figures["details"]["before"]
    # per question: 1, 1/2, 0 (its original failed), 0
    assert before["gap_correct"] == pytest.approx(0.375)
    assert (details["gap_correct"]["n"], details["gap_correct"]["failed"]) == (7, 1)
    assert before["known_correct"] == 0.75
    assert details["known_correct"]["low"] < 0.75 < details["known_correct"]["high"]
    assert before["gap_correct_novel"] is None
    assert before["gap_hallucination"] is None
    assert details["gap_correct_novel"] == {"n": 0, "failed": 0, "low": None, "high": None}
    assert figures["after"]["gap_correct"] == 1.0
    assert figures["after"]["known_correct"] is None
    assert "control" not in figures
