"""Wrong answers are of the right form, about the right thing, and wrong."""

from __future__ import annotations

from selfstudy.verbs.unlearning.wrong_answers import wrong_answers

OTHERS = [
    ("What is the capital of Peru?", "The capital of Peru is Lima."),
    ("What is the capital of Chile?", "The capital of Chile is Santiago."),
    ("Which currency is used in Peru?", "The currency of Peru is the sol."),
    ("What is the capital of Costa Rica?", "The capital of Costa Rica is San José."),
    ("Who wrote this?", "Somebody."),
]


def test_those_of_questions_like_it_come_first_and_are_about_its_own_thing() -> None:
    found = wrong_answers(*OTHERS[0], OTHERS, most=2)
    assert found == ["The capital of Peru is Santiago.", "The capital of Peru is San José."]


def test_the_right_one_and_repeats_are_none() -> None:
    others = [*OTHERS, ("What is the capital of peru", "Lima it is."), OTHERS[1]]
    found = wrong_answers(*OTHERS[0], others, most=10)
    assert "The capital of Peru is Lima." not in found
    assert "Lima it is." not in found
    assert len(found) == len(set(found)) == 4


def test_nothing_to_take_from() -> None:
    assert wrong_answers("What?", "That.", []) == []
    assert wrong_answers("", "", [("", "")]) == []
