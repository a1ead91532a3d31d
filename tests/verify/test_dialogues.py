"""Shares of asking and leaking turns, counted by hand."""

from __future__ import annotations

from selfstudy.judging.tutoring import Solution
from selfstudy.records import Chat, Message
from selfstudy.stats import wilson
from selfstudy.verify.dialogues import LATE, TurnShares, figures

SUM = Solution("42", problem="What is 6 times 7?")


def said(*contents: str) -> Chat:
    return tuple(
        Message(role="assistant" if i % 2 else "user", content=content) for i, content in enumerate(contents)
    )


ASKS = said("What is 6 times 7?", "What is 6 times 6?", "36.", "And six more?", "It is 42.", "42, well done!")
TELLS = said("What is 6 times 7?", "It is 42.")


def test_shares_by_hand() -> None:
    found = figures([ASKS, TELLS, said("Hello?")], [SUM] * 3, seed=1)
    assert (found.dialogues, found.silent, found.turns) == (3, 1, 4)
    assert found.asking is not None
    assert found.leaking is not None
    assert found.asking.value == 2 / 4
    assert found.leaking.value == 1 / 4  # "42, well done" says what the student said
    assert found.giving_away == wilson(1, 2)
    assert found.asking.low < 2 / 4 < found.asking.high
    assert found.by_turn == (
        TurnShares(0, 2, 0.5, 0.5),
        TurnShares(1, 1, 1.0, 0.0),
        TurnShares(2, 1, 0.0, 0.0),
    )
    student = 5 + 1 + 3 + 5  # words of the first dialogue and the second; nobody answers the third
    tutor = 5 + 3 + 3 + 3
    assert found.student_words == student / (student + tutor)


def test_late_turns_are_told_together() -> None:
    long = said(*["And then?"] * 2 * (LATE + 3))
    found = figures([long], [SUM], seed=1)
    assert [turn.number for turn in found.by_turn] == list(range(LATE))
    assert found.by_turn[-1].turns == 4


def test_a_silent_tutor_is_the_floor_and_no_share() -> None:
    found = figures([said("Hello?")] * 3, [SUM] * 3, seed=1)
    assert (found.dialogues, found.silent, found.turns, found.asking, found.by_turn) == (3, 3, 0, None, ())


def test_demonstrations_are_nobodys_turns() -> None:
    shown = tuple(turn.model_copy(update={"demonstration": True}) for turn in TELLS)
    assert figures([(*shown, *ASKS)], [SUM], seed=1) == figures([ASKS], [SUM], seed=1)


def test_each_dialogue_has_its_own_solution() -> None:
    other = Solution("36", problem="What is 6 times 6?")
    leaks = [figures([TELLS, ASKS], some, seed=1).leaking for some in ([SUM, other], [other, SUM])]
    assert [one.value for one in leaks if one is not None] == [1 / 4, 0.0]


def test_without_a_solution_leaking_is_not_measured_and_never_zero() -> None:
    found = figures([ASKS, TELLS], [None, SUM], seed=1)
    assert found.unsolved == 1
    assert found.leaking is not None
    assert found.leaking.value == 1  # of the one turn whose solution is known
    assert found.by_turn[0].leaking == 1
    assert found.by_turn[1].leaking is None
    unknown = figures([ASKS, TELLS], [None, None], seed=1)
    assert (unknown.leaking, unknown.giving_away, unknown.unsolved) == (None, None, 2)
    assert unknown.asking is not None
