"""Rules over tutors' turns, against turns and dialogues judged by hand."""

from __future__ import annotations

import pytest

from selfstudy.judging.tutoring import Solution, TutorTurn, asks, leaks, turns
from selfstudy.records import Message


@pytest.mark.parametrize(
    "turn",
    [
        "What do we know about the smaller number?",
        "Good. Now, how many men are working?",
        "How many men are working? Take your time.",
        "Could you write the formula down?",
        "If x is 5, what is 2x? (think of the doubles)",
        'Can you tell me what "ratio" means?"',
        "¿Qué sabemos del número menor?",
        "我们知道什么？",
    ],
)
def test_it_asks(turn: str) -> None:
    assert asks(turn)


@pytest.mark.parametrize(
    "turn",
    [
        "",
        "   ",
        "The time is 350 / 140 = 2.5 hours.",
        "The time is 2.5 hours. Does that make sense?",
        "The area is half of the product, right?",
        "So the bottom row has 12 bricks, okay?",
        "Well done! Do you have any other questions?",
        "Think about what happens when x grows.",
        "What a good idea!",
        "Right?",
    ],
)
def test_it_tells(turn: str) -> None:
    assert not asks(turn)


BRICKS = Solution(
    "12 bricks", option="c", problem="5 rows, 50 bricks: how many bricks are in the bottom row?"
)


@pytest.mark.parametrize(
    ("turn", "said", "kind"),
    [
        ("The bottom row has 12 bricks.", [], "answer"),
        ("So it is 12.", [], "value"),
        ("Is it perhaps 12?", [], "value"),
        ("5x - 10 = 50, so x = 12.", [], "value"),
        ("It is option C.", [], "option"),
        ("The answer is (c).", [], "option"),
        ("The answer is c", [], "option"),
        ("You get $12.", [], "value"),
        ("That makes 12% of them.", [], "value"),
        ("Take (c), then.", [], "option"),
        ("Let us do part (c) first.", [], None),
        ("How many rows are there?", [], None),
        ("There are 120 bricks in 12.5 rows.", [], None),
        ("Think of a - c and of the area.", [], None),
        ("The answer is certainly not far.", [], None),
        ("Yes, 12!", ["I think it is 12"], None),
        ("Yes, 12 bricks!", ["12 bricks?"], None),
        ("Yes, option C.", ["Is it C)? I mean option c"], None),
        ("Yes, 12!", ["I think it is 11"], "value"),
        ("", [], None),
    ],
)
def test_what_it_gives_away(turn: str, said: list[str], kind: str | None) -> None:
    assert leaks(turn, BRICKS, said) == kind


def test_what_the_problem_names_is_given_away_only_as_the_answer() -> None:
    five = Solution("5", problem="There are 5 rows.")
    assert leaks("We have 5 rows; what next?", five) is None
    assert leaks("So the answer is 5.", five) == "answer"
    assert leaks("So the answer is 55.", five) is None


def test_a_number_is_the_same_in_any_unit() -> None:
    larger = Solution("1365", problem="Two numbers differ by 18.")
    assert leaks("It is $1,365.", larger) == "value"
    assert leaks("It is 1,365 dollars.", larger) == "answer"
    assert leaks("It is 13.65.", larger) is None
    assert (
        leaks("It is 1365!", Solution("$1,365")) == leaks("Half of it: 3/4", Solution("3/4 cups")) == "value"
    )


def test_a_dialogue_turn_by_turn() -> None:
    def say(*texts: str) -> tuple[Message, ...]:
        return tuple(
            Message(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(texts)
        )

    found = turns(
        say(
            "Help!", "What do we know?", "5 rows.", "Then it is 12.", "So 12?", "Yes, 12. Shall we check it?"
        ),
        BRICKS,
    )
    assert found == [
        TutorTurn(0, asks=True, leaks=None),
        TutorTurn(1, asks=False, leaks="value"),
        TutorTurn(2, asks=True, leaks=None),
    ]
    assert turns((), BRICKS) == []
