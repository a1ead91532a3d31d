"""Figures of cited answers, against the Trust-Score's own definition and numbers worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.judging.trust import trust_score
from selfstudy.records import Arm, CitedCheck
from selfstudy.verify.citing_figures import FIGURES, compared, figures, trust_item
from selfstudy.verify.gains import Resampling

HOW = Resampling(0.95, 200, 0)


def check(
    name: str,
    arm: Arm = "base",
    *,
    withheld: bool = False,
    refused: bool = False,
    error: str | None = None,
    fact: str = "",
    said: float = 1.0,
) -> CitedCheck:
    """Cites well (`said` 1) or not at all (0)."""
    names = ("citation_recall", "citation_precision", "claim_recall", "grounded_precision")
    return CitedCheck(
        question_id=name,
        arm=arm,
        withheld=withheld,
        question=f"{name}?",
        docs=(),
        claims=("c",),
        fact=fact,
        output=None if error else "o",
        refused=None if error else refused,
        parts={} if error else dict.fromkeys(names, 0.0 if refused else said),
        error=error,
    )


@st.composite
def answers(draw: st.DrawFn, least: int = 1) -> list[CitedCheck]:
    count = draw(st.integers(least, 12))
    unit = st.floats(0, 1)
    return [
        check(str(n), withheld=draw(st.booleans()), fact=draw(st.sampled_from("ab"))).model_copy(
            update={
                "refused": draw(st.booleans()),
                "parts": {
                    name: draw(unit)
                    for name in (
                        *("citation_recall", "citation_precision", "claim_recall", "grounded_precision"),
                    )
                },
            }
        )
        for n in range(count)
    ]


@given(answers())
def test_sums_give_the_trust_score_as_it_is_defined(checks: list[CitedCheck]) -> None:
    found = figures(checks, Resampling(resamples=2))
    wanted = trust_score([trust_item(one) for one in checks])
    if len({one.withheld for one in checks}) < 2:
        assert "trust_score" not in found
        return
    assert found["trust_score"][0] == pytest.approx(wanted.trust_score)
    assert found["f1_ref"][0] == pytest.approx(wanted.refusal.f1)
    assert found["f1_ans"][0] == pytest.approx(wanted.answering.f1)


def test_citations_are_those_of_what_the_documents_answer() -> None:
    checks = [
        check("a"),
        check("b", said=0.5),
        check("c", refused=True),
        check("d", withheld=True),
        check("e", error="gone"),
    ]
    found = figures(checks, HOW)
    assert found["citation_recall"][0] == pytest.approx((1 + 0.5 + 0) / 3)
    assert found["claim_recall"][0] == pytest.approx(0.5)
    detail = found["citation_recall"][1]
    assert (detail["n"], detail["facts"], detail["failed"]) == (3, 4, 1)
    assert found["trust_score"][1]["n"] == 4
    assert figures([check("e", error="gone")], HOW) == {}


def arm(name: Arm, refusing: Sequence[bool], **fields: Any) -> list[CitedCheck]:
    """Every question is answered well with its page; without it some are refused."""
    both = [check(str(n), name, **fields) for n in range(len(refusing))]
    return both + [
        check(str(n), name, withheld=True, refused=one, **fields) for n, one in enumerate(refusing)
    ]


def test_before_and_after_are_paired() -> None:
    none, half = [False] * 20, [True] * 10 + [False] * 10
    found = compared([*arm("base", none), *arm("taught", half), *arm("control", none)], HOW)
    gain = found.taught["f1_ref"]
    assert (gain.before, gain.after) == (0, pytest.approx(2 * 0.5 / 1.5))
    assert gain.low > 0
    assert (gain.n, gain.facts, gain.failed) == (40, 20, 0)
    recall = found.taught["citation_recall"]
    assert (recall.before, recall.after, recall.low, recall.high, recall.n) == (1, 1, 0, 0, 20)
    assert found.control["trust_score"] == found.taught["trust_score"]
    assert set(found.taught) == set(FIGURES)


def test_what_changes_nothing_has_no_width() -> None:
    mixed = [n % 3 == 0 for n in range(20)]
    gain = compared([*arm("base", mixed), *arm("taught", mixed)], HOW).taught["trust_score"]
    assert (gain.difference, gain.low, gain.high) == (0, 0, 0)


def test_a_fact_is_drawn_whole() -> None:
    """All about one fact: there is nothing to draw."""
    found = figures(arm("base", [True, False, True, False], fact="one"), HOW)
    _, detail = found["trust_score"]
    assert detail["low"] == detail["high"]
    assert detail["facts"] == 1


def test_what_failed_in_one_arm_is_in_neither() -> None:
    taught = [*arm("taught", [True] * 3)[:-1], check("2", "taught", withheld=True, error="gone")]
    found = compared([*arm("base", [True] * 3), *taught], HOW)
    assert found.taught["trust_score"].n == 5
    assert found.taught["trust_score"].failed == 1
    lost = compared([check("a"), check("a", "taught", error="gone")], HOW)
    assert not lost.taught
    assert lost.unmeasured["taught"].error == "gone"
    assert compared([check("a")], HOW).unmeasured == {}


def test_without_refusals_to_ask_for_there_is_no_trust_score() -> None:
    found = compared([check("a"), check("a", "taught")], HOW)
    assert set(found.taught) == {"citation_recall", "citation_precision", "claim_recall"}
