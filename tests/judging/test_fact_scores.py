"""Penalty, R_K and F1@K against numbers worked by hand (METHODS-MORE E)."""

from __future__ import annotations

import math

import pytest

from selfstudy.judging.fact_scores import FactCounts, f1_at, factscore, penalty, recall_at, reference_k


def test_the_penalty_is_one_at_ten_facts_and_falls_to_nothing_at_one() -> None:
    assert penalty(10) == 1.0
    assert penalty(11) == 1.0
    assert penalty(5) == pytest.approx(0.367879, abs=1e-6)
    assert penalty(1) == pytest.approx(math.exp(-9))
    assert penalty(60) == 1.0


def test_gamma_zero_is_no_penalty() -> None:
    assert [penalty(facts, 0) for facts in (1, 5, 10, 60)] == [1.0] * 4
    assert factscore(FactCounts(3, 1, 0), gamma=0) == 0.75


@pytest.mark.parametrize(("facts", "gamma"), [(0, 10), (-1, 10), (3, -1)])
def test_a_penalty_without_facts_is_refused(facts: int, gamma: int) -> None:
    with pytest.raises(ValueError, match="penalty needs facts"):
        penalty(facts, gamma)


def test_precision_counts_all_facts_and_factscore_is_it_times_the_penalty() -> None:
    counts = FactCounts(supported=3, contradicted=1, not_found=1)
    assert (counts.facts, counts.precision) == (5, 0.6)
    assert factscore(counts) == pytest.approx(0.6 * math.exp(-1))
    assert FactCounts(0, 0, 0).precision is None
    assert factscore(FactCounts(0, 0, 0)) is None


def test_f1_at_k_by_hand() -> None:
    assert recall_at(3, 6) == 0.5
    assert recall_at(9, 6) == 1.0
    # P = 3/4, R = 3/6: 2 * .375 / 1.25
    assert f1_at(FactCounts(3, 0, 1), 6) == pytest.approx(0.6)
    # beyond K only precision counts: P = 9/12, R = 1
    assert f1_at(FactCounts(9, 2, 1), 6) == pytest.approx(2 * 0.75 / 1.75)
    assert f1_at(FactCounts(6, 0, 0), 6) == 1.0


def test_f1_is_zero_without_a_supported_fact_also_for_who_says_nothing() -> None:
    assert f1_at(FactCounts(0, 2, 5), 6) == 0.0
    assert f1_at(FactCounts(0, 0, 0), 6) == 0.0
    with pytest.raises(ValueError, match="K of 1"):
        f1_at(FactCounts(1, 0, 0), 0)


def test_one_sure_fact_is_perfectly_precise_and_wins_nothing() -> None:
    terse, full = FactCounts(1, 0, 0), FactCounts(8, 1, 1)
    assert terse.precision == 1.0
    assert f1_at(terse, 10) < f1_at(full, 10)


def test_answers_without_facts_do_not_lower_k() -> None:
    assert reference_k([0, 0, 0, 4, 6]) == 5
    assert reference_k([3, 4]) == 4
    assert reference_k([0, 0]) == 1
    assert reference_k([]) == 1
