"""The figures of the report over made-up checks: what counts, how often, and with what interval."""

from __future__ import annotations

import pytest

from selfstudy.verify.figures import outcome

from .made_up import checks, share


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


def test_the_interval_of_a_share_does_not_vanish_where_all_are_right() -> None:
    rows = [
        c.model_copy(update={"fact": f"fact {i // 2}"})
        for i, c in enumerate(checks("base", "known", [True] * 40))
    ]
    detail = outcome(rows)["details"]["before"]["known_correct"]
    assert (detail["facts"], detail["high"]) == (20, 1.0)
    assert detail["low"] == pytest.approx(20 / (20 + 1.959964**2))  # Wilson at 20 of 20
