"""Where a dialogue is cut, worked by hand."""

from __future__ import annotations

import pytest

from selfstudy.records import Chat, Message
from selfstudy.teach.socratic import next_turns, same_dialogue


def dialogue(turns: int, first: str = "user") -> Chat:
    roles = ["user", "assistant"] if first == "user" else ["assistant", "user"]
    return tuple(Message(role=roles[i % 2], content=f"turn {i}") for i in range(turns))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("turns", "most", "places"),
    [
        (2, 3, [0]),
        (6, 3, [0, 1, 2]),
        (10, 3, [0, 2, 4]),  # five turns of the tutor: first, middle, last
        (12, 3, [0, 2, 5]),
        (20, 5, [0, 2, 4, 7, 9]),
        (10, 1, [0]),
        (1, 3, []),
        (0, 3, []),
    ],
)
def test_the_places_are_spread_evenly_over_the_tutors_turns(turns: int, most: int, places: list[int]) -> None:
    talk = dialogue(turns)
    found = next_turns(talk, most)
    assert [one.turn for one in found] == places
    for one in found:
        assert one.prompt == talk[: 2 * one.turn + 1]
        assert one.prompt[-1].role == "user"
        assert one.chosen == f"turn {2 * one.turn + 1}"


def test_a_tutor_who_speaks_first_answers_nobody() -> None:
    found = next_turns(dialogue(5, "assistant"))
    assert [one.turn for one in found] == [1, 2]
    assert found[0].prompt == dialogue(5, "assistant")[:2]


def test_only_turns_that_answer_the_student_and_say_something_are_learned() -> None:
    first = dialogue(6, "assistant")  # ends with the student
    assert [one.turn for one in next_turns(first)] == [1, 2]
    asked, answered = dialogue(2)
    empty = Message(role="assistant", content=" ")
    assert [one.turn for one in next_turns((asked, empty, asked, answered, answered))] == [1]
    shown = tuple(turn.model_copy(update={"demonstration": True}) for turn in dialogue(2))
    assert next_turns((*shown, *dialogue(4))) == next_turns(dialogue(4))


def test_rows_of_one_dialogue_are_found_whatever_their_order() -> None:
    talk, other = dialogue(6), dialogue(6, "assistant")
    rows = [(one.prompt, one.chosen) for some in (talk, other) for one in next_turns(some)]
    assert same_dialogue(rows) == [0, 0, 0, 1, 1]
    assert same_dialogue(rows[::-1]) == [0, 0, 1, 1, 1]
    spaced = (tuple(turn.model_copy(update={"content": f" {turn.content}\n"}) for turn in talk[:3]), "turn 3")
    assert same_dialogue([rows[0], spaced]) == [0, 0]


def test_a_greeting_joins_only_what_ends_with_it_and_a_problem_joins_everything() -> None:
    def says(role: str, content: str) -> Message:
        return Message(role=role, content=content)  # type: ignore[arg-type]

    hello, other = says("user", "Can you help me?"), says("user", "Help!")
    problem = says(
        "user", "Five rows of a wall have 50 bricks, and each row has one less than the row below."
    )
    well, yes, asked = says("assistant", "Well?"), says("assistant", "Yes?"), says("user", "3 + 4?")
    assert same_dialogue([((hello,), "Well?"), ((hello,), "Yes?")]) == [0, 0]
    assert same_dialogue([((hello,), "Well?"), ((other,), "Well?")]) == [0, 1]
    assert same_dialogue([((hello,), "Yes?"), ((hello, well, asked), "Try.")]) == [0, 1]
    assert same_dialogue([((problem,), "Yes?"), ((problem, well, asked), "Try.")]) == [0, 0]
    assert same_dialogue([((hello, well, problem), "Try."), ((hello, well, asked), "Try.")]) == [0, 0]
    assert same_dialogue([((hello, well, problem), "Try."), ((hello, yes, asked), "Try.")]) == [0, 1]
    lesson, shouted = says("system", "Lesson 1"), says("user", "CAN you  help me?")
    assert same_dialogue([((lesson, hello), "Well?"), ((shouted,), "Yes?")]) == [0, 0]
    assert same_dialogue([]) == []
