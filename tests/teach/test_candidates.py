"""Which candidate wins, and where the statements of an answer end."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from selfstudy.judging.cited_items import CitedKind
from selfstudy.teach.candidates import (
    CitedCandidate,
    first_statement,
    judge,
    merged,
    repeats,
    whole_statements,
    winner,
)
from tests.teach.cited import SUPPORTED, WRONG, exercise, rewards


@pytest.mark.parametrize(
    ("text", "kind", "first"),
    [
        ("Rome is old [1]. It", "asqa", "Rome is old [1]."),
        ("Rome is old. [1][2] It is", "asqa", "Rome is old. [1][2]"),
        ("Rome is old [1].", "asqa", None),
        ("Rome is old. [1", "asqa", None),
        ("Rome is 2.5 km", "asqa", None),
        (" It is big. So", "eli5", " It is big."),
        ("ローマは古い。大", "plain", "ローマは古い。"),
        ("", "asqa", None),
        ("old [1], big", "qampari", "old [1]"),
        (", big [2], warm", "qampari", ", big [2]"),
        (", big [2]", "qampari", None),
        ("old. Big", "qampari", None),
        (",,", "qampari", None),
    ],
)
def test_a_statement_has_ended_where_the_next_one_begins(
    text: str, kind: CitedKind, first: str | None
) -> None:
    end = first_statement(text, kind)
    assert (None if end is None else text[:end]) == first


@pytest.mark.parametrize(
    ("text", "kind", "whole"),
    [
        ("Rome is old [1]. It is b", "asqa", "Rome is old [1]."),
        ("Rome is", "asqa", ""),
        ("old [1], big [2], wa", "qampari", "old [1], big [2]"),
        ("old", "qampari", ""),
    ],
)
def test_what_was_cut_off_keeps_what_is_whole(text: str, kind: CitedKind, whole: str) -> None:
    assert whole_statements(text, kind) == whole


@pytest.mark.parametrize(
    ("text", "kind", "again"),
    [
        ("Rome is old [1]. Rome is big [1].", "asqa", False),
        ("Rome is old [1]. The Rome is OLD! [2]", "asqa", True),  # as rewards have it
        ("old [1], big [2], the old", "qampari", True),
        ("old, older", "qampari", False),
    ],
)
def test_what_repeats_itself(text: str, kind: CitedKind, again: bool) -> None:
    assert repeats(text, kind) is again


def test_the_better_one_wins_then_the_more_probable_then_by_the_alphabet() -> None:
    rivals = [
        CitedCandidate("c", -9.0, 3, total=0.1 + 0.2),
        CitedCandidate("b", -4.0, 2, total=0.3),
        CitedCandidate("a", -4.0, 2, total=0.3),
        CitedCandidate("d", -1.0, 9, total=0.1),
        CitedCandidate("e", math.nan, 9, total=0.3),
    ]
    for order in (rivals, rivals[::-1]):
        found = winner(exercise(), order, order, Counter())
        assert (found.text, found.candidates, found.error) == ("a", 5, "")
        assert found.spread == pytest.approx(0.2)


def test_without_a_rival_there_is_an_error_and_no_score() -> None:
    found = winner(exercise(), [], [], Counter({"an empty answer": 3}))
    assert found.error == "no answer: 3 x an empty answer"
    assert found.total is None


def test_the_same_text_is_one_candidate() -> None:
    same = [CitedCandidate("a", -4.0, 2), CitedCandidate("a", -2.0, 2), CitedCandidate("a", ended=False)]
    assert merged(same) == [same[1], same[2]]


def test_what_cannot_be_judged_is_counted_and_is_no_candidate() -> None:
    class Fails:
        name = "fails"

        def probabilities(self, pairs: Any, progress: Any = None) -> Any:
            raise AssertionError

        def classes(self, pairs: Any) -> list[str]:
            return ["" if "loud" in hypothesis else "entailment" for _, hypothesis in pairs]

    judged_by = rewards()[0]
    judged_by._entailment = Fails()
    problems: Counter[str] = Counter()
    row = [CitedCandidate(SUPPORTED[0]), CitedCandidate(WRONG[0])]
    (found,) = judge([exercise()], [row], judged_by, 0, [problems])
    assert [one.text for one in found] == [SUPPORTED[0]]
    assert "no number" in next(iter(problems))


def test_nothing_to_judge_asks_nobody() -> None:
    judged_by, asked = rewards()
    assert judge([exercise()], [[]], judged_by, 0, [Counter()]) == [[]]
    assert not asked.asked
