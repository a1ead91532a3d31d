"""What a question and its passage make, and what they do not."""

from __future__ import annotations

import pytest

from selfstudy.files.rows import MalformedError
from selfstudy.judging.solving import solves
from selfstudy.judging.tutoring import leaks
from selfstudy.verbs.socratic.from_passages import LONGEST, MOST_WORDS, exercise_from

PAGE = "Lima is a city. It has many parks. The currency of Peru is the Sol. People speak Spanish there."
ASKED = "What do people pay with in Peru?"


def test_the_answer_is_short_and_can_be_seen_told_and_found() -> None:
    found = exercise_from(ASKED, "The currency of Peru is the Sol.", PAGE, "Peru", "It is the Dollar.")
    assert (found.problem, found.rationale, found.solution.answer) == (ASKED, PAGE, "Sol")
    assert found.misconception == "It is the Dollar."
    assert solves("People pay with the Sol.", found.solution)
    assert leaks("They pay with the Sol, do they not?", found.solution) == "answer"


def test_a_long_passage_is_cut_around_its_answer() -> None:
    filler = "Nothing much is said in this sentence of the page. " * 40
    found = exercise_from(ASKED, "The currency is the Sol.", f"{filler}{PAGE} {filler}", "South America")
    title, _, rationale = found.rationale.partition("\n")
    assert title == "South America"
    assert "The currency of Peru is the Sol." in rationale
    assert LONGEST / 2 < len(rationale) <= LONGEST
    assert rationale.endswith(".")


@pytest.mark.parametrize(
    ("question", "answer", "page", "why"),
    [
        (ASKED, "Yes.", PAGE, "no short answer can be told"),
        (ASKED, "The Sol. It is old.", PAGE, "no short answer can be told"),
        (ASKED, "The currency is the Dollar.", PAGE, "no sentence of the passage states the answer"),
        ("Is Lima in Peru or Quito?", "It is in Peru.", PAGE, "the question contains its answer"),
        (
            "Who is there?",
            "There are " + ", ".join(f"Name{i}" for i in range(MOST_WORDS + 1)) + ".",
            PAGE,
            "longer than 12 words",
        ),
        (ASKED, "It is the Sol.", "Sol " + "x " * LONGEST + ".", "more than 1,000 characters"),
    ],
)
def test_what_makes_no_exercise(question: str, answer: str, page: str, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        exercise_from(question, answer, page)
