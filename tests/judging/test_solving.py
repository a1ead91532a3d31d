"""Whether a student has found it, against sentences judged by hand."""

from __future__ import annotations

import pytest

from selfstudy.judging.solving import forms, solves, solves_at_the_end
from selfstudy.judging.tutoring import Solution


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("38", "So it is 38."),
        ("38", "It costs $38, I think."),
        ("38", "That makes 38.0 km."),
        ("rs . 400", "It is Rs. 400."),
        ("rs . 400", "400"),
        ("12.5 %", "12.5 percent"),
        ("12.5 %", "It grows by 12.5%."),
        ("7 / 8", "Then x = 7/8."),
        ("7 / 8", "It is 0.875"),
        ("0.5", "So 1/2 is left."),
        ("1,365", "1365 bricks"),
        ("50 kmph", "It goes 50 km/h."),
        ("2 hours 30 minutes", "It takes 2 hours 30 minutes."),
        ("data inadequate", "The data is... data inadequate."),
    ],
)
def test_it_is_found(answer: str, said: str) -> None:
    assert solves(said, Solution(answer, option="c", problem="How much is it?"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("38", "Is it 38?"),
        ("38", "It is not 38."),
        ("38", "30, 38 or 40"),
        ("38", "138"),
        ("5", "-5"),
        ("2 hours 30 minutes", "It takes 2 hours."),
        ("38", "I do not know."),
        ("38", "The answer is a number."),
        ("Paris", "The answer is option C."),
        ("38", "(a) first add, (b) then divide, (c) then stop."),
        ("5", "There are 5 rows in all."),
    ],
)
def test_it_is_not_found(answer: str, said: str) -> None:
    assert not solves(said, Solution(answer, option="c", problem="There are 5 rows in all. How many bricks?"))


def test_the_last_line_that_says_answer_counts() -> None:
    attempt = "3 + 12 is 15.\nAnswer: 15\nWait.\n**Final answer:** 12 bricks"
    assert solves_at_the_end(attempt, Solution("12"))
    assert not solves_at_the_end(attempt, Solution("15"))
    assert solves_at_the_end("So there are 12.", Solution("12"))


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("7 / 8", ["7/8", "0.875"]),
        ("0.5", ["0.5", "1/2"]),
        ("1/3", ["1/3", "0.333333"]),
        ("3", ["3", "3.0"]),
        ("3.0", ["3.0", "3"]),
        ("0.123456", ["0.123456"]),
        ("1/0", ["1/0"]),
        ("9" * 5000, ["9" * 5000]),
        ("about 3 or 4", ["about 3 or 4"]),
    ],
)
def test_the_ways_to_write_an_answer(answer: str, found: list[str]) -> None:
    assert forms(answer) == found
