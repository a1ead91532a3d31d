"""Refusal F1 and its halves, against numbers worked by hand and the Trust-Score's own definition."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.judging.trust import TrustItem, trust_score
from selfstudy.records import Arm, Check, RefusalCheck, Target, Wording
from selfstudy.verify.gains import Resampling
from selfstudy.verify.refusing_figures import FIGURES, compared, figures

HOW = Resampling(0.95, 500, 0)
NO, YES = "I don't know.", "It is Lima."


def told(
    target: Target, answers: Sequence[str | None], arm: Arm = "base", wording: Wording = "original"
) -> list[Check]:
    """Answers to gaps or known questions; None failed, and "It is Lima." is right."""
    return [
        Check(
            question_id=f"{target}{n}",
            arm=arm,
            target=target,
            wording=wording,
            asked=f"{wording} {n}?",
            answer=said or "",
            expected=YES,
            correct=None if said is None else said == YES,
            error="gone" if said is None else None,
        )
        for n, said in enumerate(answers)
    ]


def without(refused: Sequence[bool | None], arm: Arm = "base", fact: str = "") -> list[RefusalCheck]:
    """Questions without evidence, refused or not; None failed."""
    return [
        RefusalCheck(
            question_id=f"none{n}",
            arm=arm,
            asked=f"{n}?",
            refused=one,
            fact=fact,
            error="gone" if one is None else None,
        )
        for n, one in enumerate(refused)
    ]


def values(checks: Sequence[Check], refusals: Sequence[RefusalCheck]) -> dict[str, float]:
    return {name: value for name, (value, _) in figures(checks, refusals, HOW).items()}


def test_all_refused() -> None:
    found = values(told("gap", [NO] * 3) + told("known", [NO] * 3), without([True] * 2))
    f1_ref = 2 * 1 * 0.25 / 1.25  # every one of 2 refused, 2 of 8 refusals right
    assert found == {
        "refusal_f1": pytest.approx(f1_ref / 2),
        "refusal_f1_ref": pytest.approx(f1_ref),
        "refusal_f1_ans": 0,
        "unanswerable_answered": 0,
        "known_refused": 1,
        "gap_refused": 1,
        "answered_right": 0,
    }


def test_all_answered() -> None:
    found = values(told("gap", [YES] * 3) + told("known", [YES, "Rome"]), without([False] * 5))
    f1_ans = 2 * 1 * 0.5 / 1.5  # every one of 5 answered, 5 of 10 answers right to give
    assert found == {
        "refusal_f1": pytest.approx(f1_ans / 2),
        "refusal_f1_ref": 0,
        "refusal_f1_ans": pytest.approx(f1_ans),
        "unanswerable_answered": 1,
        "known_refused": 0,
        "gap_refused": 0,
        "answered_right": pytest.approx(4 / 5),
    }


def test_perfect() -> None:
    found = values(told("gap", [YES] * 3) + told("known", [YES] * 2), without([True] * 4))
    assert found == dict.fromkeys(("refusal_f1", "refusal_f1_ref", "refusal_f1_ans", "answered_right"), 1) | {
        "unanswerable_answered": 0,
        "known_refused": 0,
        "gap_refused": 0,
    }


def test_an_empty_answer_is_no_refusal() -> None:
    found = values(told("known", ["", NO]), without([True]))
    assert found["known_refused"] == 0.5


def test_a_gap_counts_once_however_often_it_is_asked() -> None:
    """As first asked for the F1; in all its wordings for the share that is refused."""
    checks = told("gap", [YES, YES]) + told("gap", [NO, None], wording="novel")
    found = values([*checks, *told("gap", [YES], wording="trained")], without([True]))
    assert found["refusal_f1"] == 1
    assert found["gap_refused"] == pytest.approx((1 / 3 + 0) / 2)


def test_what_failed_is_counted_and_in_no_figure() -> None:
    found = figures(told("known", [YES, None, NO]), without([True, None]), HOW)
    assert found["known_refused"][0] == 0.5
    assert {"n": 2, "facts": 2, "failed": 1}.items() <= found["known_refused"][1].items()
    assert {"n": 3, "failed": 2}.items() <= found["refusal_f1"][1].items()
    assert {"n": 1, "failed": 1}.items() <= found["unanswerable_answered"][1].items()
    assert figures(told("known", [YES]), [], HOW) == {}
    assert figures([], without([None]), HOW) == {}
    assert set(figures([], without([True]), HOW)) == {"unanswerable_answered"}


@given(st.lists(st.tuples(st.sampled_from(["gap", "known", "none"]), st.booleans()), min_size=1, max_size=12))
def test_it_is_the_published_figure(rows: list[tuple[str, bool]]) -> None:
    checks = [
        one
        for target in ("gap", "known")
        for one in told(target, [NO if r else YES for kind, r in rows if kind == target])  # type: ignore[arg-type]
    ]
    refusals = without([refused for kind, refused in rows if kind == "none"])
    if not refusals or not checks:
        return
    wanted = trust_score([TrustItem(kind != "none", refused, 0, 0, 0, 0) for kind, refused in rows])
    found = values(checks, refusals)
    assert found["refusal_f1"] == pytest.approx(wanted.grounded_refusal)
    assert found["refusal_f1_ref"] == pytest.approx(wanted.refusal.f1)
    assert found["refusal_f1_ans"] == pytest.approx(wanted.answering.f1)


def test_before_and_after_are_paired() -> None:
    before = told("known", [YES] * 20), without([False] * 20)
    after = told("known", [NO] * 2 + [YES] * 18, "taught"), without([True] * 20, "taught")
    found = compared([*before[0], *after[0]], [*before[1], *after[1]], HOW)
    gain = found.taught["refusal_f1_ref"]
    assert (gain.before, gain.after) == (0, pytest.approx(2 * 20 / 22 / (1 + 20 / 22)))
    assert gain.low > 0
    assert (gain.n, gain.facts, gain.failed) == (40, 40, 0)
    refused = found.taught["known_refused"]
    assert (refused.before, refused.after, refused.n) == (0, pytest.approx(0.1), 20)
    assert refused.low == 0
    assert set(found.taught) == set(FIGURES) - {"gap_refused"}
    assert not found.control


def test_all_about_one_fact_is_one_thing() -> None:
    arms = [
        *without([False, True], fact="one"),
        *without([True, True], "taught", fact="one"),
    ]
    gain = compared([], arms, HOW).taught["unanswerable_answered"]
    assert (gain.difference, gain.low, gain.high, gain.facts) == (-0.5, -0.5, -0.5, 1)


def test_what_failed_in_one_arm_is_in_neither() -> None:
    lost = compared([], [*without([True]), *without([None], "taught")], HOW)
    assert not lost.taught
    assert (lost.unmeasured["taught"].asked, lost.unmeasured["taught"].error) == (1, "gone")
    some = compared([], [*without([True, False]), *without([None, True], "taught")], HOW)
    assert (some.taught["unanswerable_answered"].n, some.taught["unanswerable_answered"].failed) == (1, 1)
    assert compared([], without([True]), HOW).unmeasured == {}
