"""Scores of turns by what comes of them, worked by hand."""

from __future__ import annotations

import pytest

from selfstudy.teach.outcomes import Candidate, preferences, score

HINT = Candidate("What is a half of it?", attempts=8, solved=6, mark=8)
TOLD = Candidate("It is 12.", attempts=8, solved=8, mark=2)
VAGUE = Candidate("Think!", attempts=8, solved=1, mark=4)


@pytest.mark.parametrize(
    ("candidate", "weight", "value"),
    [
        (HINT, 0.5, 0.5 * 6 / 8 + 0.5 * 7 / 9),
        (HINT, 1.0, 0.75),
        (HINT, 0.0, 7 / 9),
        (TOLD, 0.5, 0.5 + 0.5 / 9),
        (Candidate("x", 4, 0, 1), 0.5, 0.0),
        (Candidate("x", 4, 4, 10), 0.25, 1.0),
        (Candidate("x", 4, 2), 1.0, 0.5),
        (Candidate("x", 4, 2), 0.5, None),  # no judge was asked
        (Candidate("x", 0, 0, 7), 0.5, None),  # nobody tried
        (Candidate("x", 0, 0, 10), 0.0, 1.0),
    ],
)
def test_the_score(candidate: Candidate, weight: float, value: float | None) -> None:
    assert score(candidate, weight) == (None if value is None else pytest.approx(value))


def test_pairs_are_those_that_differ_by_more_than_the_margin() -> None:
    # .764 for the hint, .556 for what tells, .229 for what is vague
    found = preferences([TOLD, HINT, VAGUE])
    assert [(one.chosen, one.rejected) for one in found] == [(HINT, TOLD), (TOLD, VAGUE), (HINT, VAGUE)]
    assert found[0].difference == pytest.approx(0.375 + 0.5 * 7 / 9 - 0.5 - 0.5 / 9)
    assert [one.rejected for one in preferences([TOLD, HINT, VAGUE], margin=0.3)] == [VAGUE, VAGUE]


def test_by_the_outcome_alone_who_tells_wins() -> None:
    assert [(one.chosen, one.rejected) for one in preferences([TOLD, HINT], weight=1.0)] == [(TOLD, HINT)]


def test_better_in_both_parts_is_asked_for() -> None:
    found = preferences([TOLD, HINT, VAGUE], both=True)
    assert [(one.chosen, one.rejected) for one in found] == [(HINT, VAGUE)]


def test_ties_and_what_was_not_measured_make_no_pair() -> None:
    assert preferences([HINT, Candidate("Half?", 8, 6, 8)]) == []
    assert preferences([HINT, Candidate("Half?", 0, 0, 1), Candidate("Well?", 8, 0)]) == []
    assert preferences([HINT, Candidate(" What is a  half of it?", 8, 0, 1)]) == []  # the same words
    assert preferences([Candidate("a", 10, 5, 1), Candidate("b", 10, 6, 1)], weight=1.0) == []  # .1 exactly
