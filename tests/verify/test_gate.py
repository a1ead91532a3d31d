"""The promotion gate over made-up checks: what opens it, what keeps it shut, and how it says so."""

from __future__ import annotations

import pytest

from selfstudy.records import Arm, Check, Wording
from selfstudy.verify.figures import outcome
from selfstudy.verify.gate import AGAIN, NOT_AGAIN, Gate, decide, few_gaps, refuse
from selfstudy.verify.rules import Rules

from .made_up import HOW, LEARNED, Target, both, checks, share

RULES = Rules(margin=0.02, resampling=HOW)
CONTROLLED = Rules(margin=0.02, resampling=HOW, control=True)
LATER = Rules(margin=0.02, resampling=HOW, original=True)


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
    assert gate.verdict == ("promoted" if promoted else "refused")
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
    assert gate.verdict == ("promoted" if promoted else "cannot tell")
    assert gate.more == ({} if promoted else {"known": 52 - n})
    assert RULES.fewest == 52


@pytest.mark.parametrize(
    ("known", "general", "verdict"),
    [
        ((20, 19, 20), (150, 152, 300), "promoted"),
        ((20, 20, 20), (40, 40, 300), "cannot tell"),  # of which it knew too few
        ((20, 20, 20), (0, 0, 300), "cannot tell"),
        ((20, 20, 20), (30, 30, 40), "cannot tell"),
        ((20, 20, 20), (25, 0, 150), "refused"),
        ((100, 100, 100), (80, 80, 300), "promoted"),
        ((200, 200, 200), (100, 100, 1000), "promoted"),
        ((100, 95, 100), (0, 0, 150), "cannot tell"),
        ((100, 95, 100), (150, 147, 300), "promoted"),
        ((100, 95, 100), (150, 144, 300), "refused"),
        ((100, 100, 100), (150, 140, 300), "refused"),
        ((100, 80, 100), (150, 170, 300), "refused"),
        ((0, 0, 0), (150, 150, 300), "promoted"),
        ((0, 0, 0), (60, 60, 70), "promoted"),
        ((0, 0, 0), (52, 51, 52), "cannot tell"),
    ],
)
def test_general_questions_tell_where_known_ones_are_too_few(
    known: tuple[int, int, int], general: tuple[int, int, int], verdict: str
) -> None:
    gate = decide(LEARNED + both("known", *known) + both("general", *general), RULES)
    assert gate.verdict == verdict, gate.reasons
    assert any("General questions were held out" in note for note in gate.notes)
    over = decide(
        LEARNED
        + both("known", *known)
        + both("general", general[1], general[1], general[2])
        + checks("original", "known", share(known[0], known[2]))
        + checks("original", "general", share(general[0], general[2]))
        + checks("original", "reading", share(100, 100)),
        LATER,
    )
    assert over.verdict == verdict, over.reasons


def test_general_questions_that_failed_refuse_however_many_known_ones_were_kept() -> None:
    known = both("known", 400, 400, 400)
    for failed in (20, 4):
        right: list[bool | None] = [None] * failed + [True] * (20 - failed)
        gate = decide(
            LEARNED + known + checks("base", "general", right) + checks("taught", "general", right), RULES
        )
        assert gate.verdict == "refused", failed
        assert gate.reasons[0].startswith("General questions held out of training:")


def test_a_smaller_strength_is_tried_where_general_questions_fell_and_known_ones_are_few() -> None:
    for known in ((23, 23, 23), (0, 0, 0)):
        gate = decide(LEARNED + both("known", *known) + both("general", 150, 135, 300), RULES)
        assert gate.verdict == "refused"
        assert gate.remain is not None
        assert gate.remain < 1


def test_a_gate_of_an_older_run_can_be_read() -> None:
    for promoted, verdict in ((True, "promoted"), (False, "refused")):
        old = {"promoted": promoted, "reasons": ["why"], "gains": {}, "known_trained": 0.0}
        assert Gate.model_validate(old).verdict == verdict


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


def test_a_fact_that_was_trained_is_no_test() -> None:
    everything = LEARNED + both("known", 100, 100, 100)
    assert decide(everything, RULES, 0.0).known_trained == 0.0
    gate = decide(everything, RULES, 0.15)
    assert not gate.promoted
    assert "15.0% of their facts" in gate.reasons[0]


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
    assert not any("No control" in note for note in decide(rows, CONTROLLED).notes)
    assert any("round 1 selected" in note for note in decide(rows, LATER).notes)
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
    assert "on 96 questions, 4 more failed (" in few.reasons[0], "what was not measured is said"
    many = decide(taught(30), RULES)
    assert not many.promoted
    assert "30 of 100 questions failed" in many.reasons[0]
    assert not decide(taught(100), RULES).promoted


@pytest.mark.parametrize(("failed", "promoted"), [(0, True), (8, True), (18, False)])
def test_known_questions_that_the_taught_model_fails_at_may_be_forgotten(failed: int, promoted: bool) -> None:
    """A few are forgiven, but only as many as leave a fall beyond margin and slack excluded."""
    after: list[bool | None] = [False] * 6 + [None] * failed + [True] * (394 - failed)
    known = checks("base", "known", [True] * 400) + checks("taught", "known", after)
    gate = decide(LEARNED + known, RULES)
    assert gate.gains["known"].failed == failed <= 0.05 * 400
    assert gate.promoted is promoted
    if not promoted:
        assert "too few questions to exclude a fall of more than 0.07" in gate.reasons[0]
        assert f"on {400 - failed} questions, {failed} more failed" in gate.reasons[0]


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


def test_of_too_few_gaps_it_is_said_whether_they_come_back() -> None:
    few = decide(both("gap", 0, 5, 5) + both("known", 100, 100, 100), RULES)
    assert few_gaps(few, relearns=True) == (AGAIN,)
    assert few_gaps(few, relearns=False) == (NOT_AGAIN,)
    forgot = decide(both("gap", 0, 5, 5) + both("known", 100, 50, 100), RULES)
    assert forgot.verdict == "refused"
    promoted = decide(LEARNED + both("known", 100, 100, 100), RULES)
    assert few_gaps(forgot, relearns=True) == few_gaps(promoted, relearns=True) == ()


def test_refuse() -> None:
    assert refuse("Training failed.") == Gate(promoted=False, reasons=("Training failed.",))
