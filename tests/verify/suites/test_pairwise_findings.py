"""What many judged pairs say together."""

from __future__ import annotations

import random

import pytest

from selfstudy.judging.pairwise import Choice, JudgedPair
from selfstudy.records import SuiteItem
from selfstudy.verify.suites.pairwise import _outcome
from selfstudy.verify.suites.pairwise_findings import findings, may_not_decide, trust_in_judge


def item(
    number: int,
    plain: Choice,
    exchanged: Choice,
    characters: tuple[int, int] = (10, 10),
    **parts: float,
) -> SuiteItem:
    return SuiteItem(
        suite="pairwise",
        arm="taught",
        item=str(number),
        asked="?",
        parts={
            **_outcome(JudgedPair(plain, exchanged)),
            "characters": float(characters[0]),
            "characters_before": float(characters[1]),
            "longer": 0.5 if characters[0] == characters[1] else float(characters[0] > characters[1]),
            "identical": 0.0,
            **parts,
        },
        reasons={"without document": f"{plain}, then {exchanged}"},
    )


def test_ties_flips_and_what_failed_are_told_apart() -> None:
    items = [
        *(item(i, "first", "second") for i in range(6)),
        *(item(10 + i, "second", "first") for i in range(2)),
        *(item(20 + i, "tie", "tie", identical=1.0) for i in range(3)),
        *(item(30 + i, "first", "first") for i in range(2)),
        item(40, "second", "second"),
        item(50, "first", "tie"),
        SuiteItem(suite="pairwise", arm="taught", item="x", asked="?", error="gone"),
    ]
    found = findings(items, seed=0)
    assert found is not None
    # 6 wins, 2 losses, 3 ties, 3 flips, a half of .75
    assert found.win_rate.value == pytest.approx((6 + 1.5 + 1.5 + 0.75) / 15)
    assert found.win_rate.low < found.win_rate.value < found.win_rate.high
    first = found.in_words[0]
    for part in (
        "6 wins, 2 losses",
        "p 0.289",
        "3 ties (3 of the same",
        "1 half",
        "3 flips",
        "1 not counted",
    ):
        assert part in first
    assert "both times the first 2, the second 1" in found.in_words[1]
    assert found.length_controlled is None
    assert "15 of 100 pairs" in found.in_words[2]
    assert found.trust is None


def test_nothing_that_counts_is_none_and_other_suites_do_not_count() -> None:
    assert findings([], seed=0) is None
    failed = SuiteItem(suite="pairwise", arm="taught", item="x", asked="?", error="gone")
    other = item(1, "first", "second").model_copy(update={"suite": "qa"})
    assert findings([failed, other], seed=0) is None


def test_a_judge_that_goes_by_length_is_seen_beside_the_raw_rate() -> None:
    rng = random.Random(0)
    items = []
    for i in range(200):
        lengths = (rng.randrange(60, 120), rng.randrange(40, 80))
        longer = lengths[0] > lengths[1]
        items.append(item(i, "first" if longer else "second", "second" if longer else "first", lengths))
    found = findings(items, seed=0)
    assert found is not None
    assert found.win_rate.value > 0.85
    assert found.length_controlled is not None
    assert found.length_controlled < found.win_rate.value - 0.1
    assert "far from raw" in found.in_words[2]


def test_merit_of_answers_of_like_length_stays() -> None:
    rng = random.Random(0)
    items = [
        item(
            i,
            *(("first", "second") if rng.random() < 0.7 else ("second", "first")),
            (50 + rng.randrange(20), 60),
        )
        for i in range(200)
    ]
    found = findings(items, seed=0)
    assert found is not None
    assert found.length_controlled == pytest.approx(found.win_rate.value, abs=0.03)
    assert "far from raw" not in found.in_words[2]


def test_trust_is_said_where_rows_have_gold_answers() -> None:
    right = [item(i, "first", "second", (5, 9), gold=1.0, more_entailed=0.5) for i in range(30)]
    trust = trust_in_judge(right)
    assert trust is not None
    assert (trust.accuracy, trust.longer, trust.entailed, trust.trusted) == (1.0, 0.0, 0.5, True)
    by_length = [item(i, "first", "second", (9, 5), gold=float(i % 2)) for i in range(30)]
    found = findings(by_length, seed=0)
    assert found is not None
    assert found.trust is not None
    assert found.trust.trusted is False
    assert "may not decide" in found.in_words[-1]


def keyed(judge_right: int, length_right: int, n: int) -> list[SuiteItem]:
    """n pairs of a right and a wrong answer; the judge is right in the first so many, length in the last."""
    return [
        item(
            i,
            *(("first", "second") if i < judge_right else ("second", "first")),
            gold=1.0,
            longer=float(i >= n - length_right),
        )
        for i in range(n)
    ]


def test_a_judge_may_decide_only_if_it_is_shown_to_be_better_than_length() -> None:
    assert may_not_decide(keyed(38, 20, 40)) == ""
    for items, why in (
        ([item(i, "first", "second") for i in range(40)], "no row's gold answers tell"),
        (keyed(19, 5, 19), "19 pairs are of a right and a wrong answer, and 20 are needed"),
        (keyed(30, 30, 40), "on 40 pairs with gold answers it is right in 0.75; longer wins 0.75"),
        ([], "no row's gold answers"),
    ):
        said = may_not_decide(items)
        assert said.startswith("the judge is not shown to be better than length")
        assert why in said
        assert said.endswith("or leave `margin` out")
