"""The promotion gate over made-up checks: what opens it, what keeps it shut, and how it says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from selfstudy.records import Check, Wording
from selfstudy.verify.figures import outcome
from selfstudy.verify.gains import Resampling
from selfstudy.verify.gate import Gate, Rules, decide, refuse

HOW = Resampling(confidence=0.95, resamples=2_000, seed=0)
RULES = Rules(margin=0.02, resampling=HOW)
CONTROLLED = Rules(margin=0.02, resampling=HOW, control=True)
LATER = Rules(margin=0.02, resampling=HOW, original=True)
Arm = Literal["base", "taught", "control", "original"]
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


def test_nothing_known_to_ask_is_refused() -> None:
    gate = decide(LEARNED, RULES)
    assert not gate.promoted
    assert "no known question" in gate.reasons[0]
    assert "teach.known_heldout" in gate.reasons[0]


def test_without_pages_or_held_out_wordings_it_says_so() -> None:
    bare = both("gap", 10, 95, 100) + both("known", 100, 100, 100)
    gate = decide(bare, RULES)
    assert gate.promoted
    assert any("Reading from a page: none was there to check" in reason for reason in gate.reasons)
    assert any("wordings held out of training: none was there to check" in reason for reason in gate.reasons)
    none_ordered = Rules(margin=0.02, resampling=HOW, reworded=False)
    assert any("teach.heldout_wordings is 0" in reason for reason in decide(bare, none_ordered).reasons)
    refused = decide(both("gap", 10, 95, 100) + both("known", 100, 50, 100), RULES)
    assert "fell by more" in refused.reasons[0]
    assert any("Reading from a page: none was there to check" in reason for reason in refused.reasons), (
        "a refusal says so too"
    )


@pytest.mark.parametrize("arm", ["base", "taught"])
@pytest.mark.parametrize(
    ("target", "wording", "what"),
    [
        ("known", "original", "Known questions held out of training"),
        ("reading", "original", "Reading from a page"),
        ("gap", "original", "Gaps as first asked"),
        ("gap", "reworded", "Gaps in wordings held out of training"),
        ("gap", "trained", "Gaps in wordings trained on"),
        ("gap", "novel", "Gaps in wordings of the answer key"),
    ],
)
def test_a_target_that_fails_as_a_whole_is_not_passed(
    arm: Arm, target: Target, wording: Wording, what: str
) -> None:
    everything = (
        LEARNED
        + both("gap", 8, 90, 100, "trained")
        + both("gap", 8, 90, 100, "novel")
        + both("known", 100, 100, 100)
    )
    assert decide(everything, RULES).promoted
    others = [c for c in everything if (c.arm, c.target, c.wording) != (arm, target, wording)]
    gate = decide(others + checks(arm, target, [None] * 100, wording), RULES)
    assert not gate.promoted
    assert gate.reasons[0].startswith(f"{what}: none of 100 questions was answered by both models")
    assert "out of memory" in gate.reasons[0]
    missing = decide(others, RULES)
    assert not missing.promoted
    assert "an arm was not asked" in missing.reasons[0]


def test_small_falls_do_not_add_up_over_rounds() -> None:
    """Each round may lose what the margin allows; both together may not."""
    now = LEARNED + both("known", 294, 289, 300)
    assert decide(now, RULES).promoted, "5 of 300 against the model before this round"
    original = checks("original", "known", share(300, 300)) + checks("original", "reading", share(100, 100))
    gate = decide(now + original, LATER)
    assert not gate.promoted
    assert gate.reasons == (gate.reasons[0],)
    assert "against the model before round 1: correctness fell by more than the margin" in gate.reasons[0]
    assert gate.gains["known_original"].difference == pytest.approx(-11 / 300)
    kept = decide(LEARNED + both("known", 294, 296, 300) + original, LATER)
    assert kept.promoted, kept.reasons
    read = checks("original", "known", share(294, 300)) + checks("original", "reading", [None] * 100)
    assert (
        "Reading from a page, against the model before round 1: none" in decide(now + read, LATER).reasons[0]
    )
    assert "forgetting over the rounds was not measured" in decide(now, LATER).reasons[0]


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
    assert "on 20 questions about 5 facts" in decide(told(5, 4) + kept, RULES).reasons[0]


def test_the_interval_does_not_shrink_when_every_fact_is_asked_twice() -> None:
    once = both("gap", 10, 60, 100) + both("known", 100, 100, 100)
    twice = [c.model_copy(update={"fact": c.question_id}) for c in once]
    twice += [c.model_copy(update={"question_id": f"{c.question_id} again", "id": ""}) for c in twice]
    one, two = decide(once, RULES).gains["gap"], decide(twice, RULES).gains["gap"]
    assert (two.low, two.high, two.p) == (one.low, one.high, one.p)
    assert (one.n, two.n, two.facts) == (100, 200, 100)


def test_a_fact_that_was_trained_is_no_test() -> None:
    everything = LEARNED + both("known", 100, 100, 100)
    assert decide(everything, RULES, 0.0).known_trained == 0.0
    gate = decide(everything, RULES, 0.15)
    assert not gate.promoted
    assert "15.0% of the facts" in gate.reasons[0]


def test_it_says_how_the_answers_were_judged_and_what_selection_does() -> None:
    rows = [
        c.model_copy(update={"judged_by": "key" if int(c.question_id[3:]) < 40 else "reference"})
        for c in both("gap", 10, 95, 100)
    ]
    gate = decide(rows + both("known", 100, 100, 100), RULES)
    assert gate.gains["gap"].judged_by == {"key": 40, "reference": 60}
    assert "40 judged by the key, 60 judged by the reference" in gate.reasons[0]
    assert any("right before by selection" in note for note in gate.notes)
    assert any("No control was trained" in note for note in gate.notes)
    details = outcome(rows, resamples=200)["details"]["before"]["gap_correct"]
    assert details["judged_by"] == {"key": 40, "reference": 60}


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
    assert "the control alone changed by +0.850" in strong.reasons[0]
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
    nothing = {"n": 0, "facts": 0, "judged_by": {}, "failed": 0, "low": None, "high": None}
    assert details["gap_correct_novel"] == nothing
    assert figures["after"]["gap_correct"] == 1.0
    assert figures["after"]["known_correct"] is None
    assert "control" not in figures


def test_a_mean_counts_each_fact_once() -> None:
    values = [0.0, 1.0] * 30
    rows = [
        c.model_copy(update={"parts": {"token_f1": value, "entailment": value}, "fact": f"fact {i // 3}"})
        for i, (c, value) in enumerate(zip(checks("base", "gap", [True] * 60), values, strict=True))
    ]
    figures = outcome(rows, resamples=2_000)
    alone = outcome([c.model_copy(update={"fact": ""}) for c in rows], resamples=2_000)
    for name in ("gap_token_f1", "gap_entailment"):
        assert figures["before"][name] == pytest.approx(0.5)
        assert (figures["details"]["before"][name]["n"], figures["details"]["before"][name]["facts"]) == (
            60,
            20,
        )
        detail, single = figures["details"]["before"][name], alone["details"]["before"][name]
        assert single["facts"] == 60
        assert detail["high"] - detail["low"] != single["high"] - single["low"]
    same = [c.model_copy(update={"parts": {"token_f1": float(i < 30)}}) for i, c in enumerate(rows)]
    wide, narrow = (
        outcome(
            [c.model_copy(update={"fact": f"fact {i // per}"}) for i, c in enumerate(same)], resamples=2_000
        )
        for per in (6, 1)
    )
    widths = [f["details"]["before"]["gap_token_f1"] for f in (wide, narrow)]
    assert widths[0]["high"] - widths[0]["low"] > 2 * (widths[1]["high"] - widths[1]["low"])
