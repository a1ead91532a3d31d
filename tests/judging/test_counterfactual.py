"""Pages with another answer: the answer is found, and swapped with that of a question asked alike."""

from __future__ import annotations

import pytest

from selfstudy.judging.correctness import Expected
from selfstudy.judging.counterfactual import swapped
from selfstudy.text import contains
from tests import growth

FIJI = "Fiji is a country. Its capital is Suva. Suva has a harbour."
PERU = "Peru is a country. Its capital is Lima."
CAPITALS = ["What is the capital of Fiji?", "What is the capital of Peru?"]


def test_with_a_key_the_accepted_text_is_swapped_everywhere() -> None:
    both = [Expected(("Suva City", "Suva"), ""), Expected(("Lima",), "")]
    assert [new and new[:2] for new in swapped(CAPITALS, both, [FIJI, PERU])] == [
        ("Fiji is a country. Its capital is Lima. Lima has a harbour.", "Lima"),
        ("Peru is a country. Its capital is Suva.", "Suva"),
    ]


def test_without_a_key_what_the_reference_adds_is_swapped() -> None:
    both = [
        Expected((), "The capital of Fiji is Suva."),
        Expected((), "Lima is the capital of Peru."),
    ]
    found = swapped(CAPITALS, both, [FIJI, PERU])
    assert [new and new[1:] for new in found] == [
        ("Lima", "The capital of Fiji is Lima."),
        ("Suva", "Suva is the capital of Peru."),
    ]


def test_references_worded_alike_swap_with_each_other() -> None:
    questions = ["How large is Chad?", *CAPITALS, "What is the area of Mali?"]
    texts = ["9 km", "Suva", "Lima", "7 km"]
    read = ["The area of Chad is 9 km.", "The capital of Fiji is Suva.", "The capital of Peru is Lima."]
    read.append("The area of Mali is 7 km.")
    pages = ["It has 9 km.", FIJI, PERU, "It has 7 km."]
    expected = [Expected((one,), statement) for one, statement in zip(texts, read, strict=True)]
    assert [new and new[1] for new in swapped(questions, expected, pages)] == ["7 km", "Lima", "9 km", "Suva"]


@pytest.mark.parametrize(
    ("question", "expected", "page"),
    [
        ("What is the capital of Fiji?", Expected(("Nadi",), ""), FIJI),  # not in the page
        ("Is Suva the capital of Fiji?", Expected(("Suva",), ""), FIJI),  # in the question
        ("What is the capital of Fiji?", Expected(("Suv",), ""), FIJI),  # part of a word
        ("What is the capital of Fiji?", Expected((), ""), FIJI),
        ("What is the capital of Fiji?", Expected((), "The capital of Fiji is Suva."), ""),
        ("What?", Expected((), "?! ..."), "?! ..."),
    ],
)
def test_what_cannot_be_swapped_is_none(question: str, expected: Expected, page: str) -> None:
    found = swapped([question, CAPITALS[1]], [expected, Expected(("Lima",), "")], [page, PERU])
    assert found == [None, None]


def test_an_answer_that_the_page_has_already_is_not_put_into_it() -> None:
    pages = [FIJI, "Lima is the capital of Peru, and not Suva."]
    both = [Expected(("Suva",), ""), Expected(("Lima",), "")]
    first, second = swapped(CAPITALS, both, pages)
    assert first is not None
    assert contains(first[0], "Lima")
    assert second is None


def test_a_number_is_swapped_as_a_whole_and_not_inside_another() -> None:
    questions = ["How many towns are in A?", "How many towns are in B?"]
    pages = ["A is 5.5 km from B. A has 5 towns and 1,005 farms; 5, no more.", "B has 12 towns."]
    first, _ = swapped(questions, [Expected(("5",), ""), Expected(("12",), "")], pages)
    assert first is not None
    assert first.page == "A is 5.5 km from B. A has 12 towns and 1,005 farms; 12, no more."


@pytest.mark.parametrize(
    ("answers", "page"),
    [
        (["Rome"], "It is Rome."),
        (["Rome", "Bonn"], "It is Rome or Bonn."),
        ([f"w{i}" for i in range(500)], " ".join(f"w{i}" for i in range(500))),
    ],
)
def test_time_grows_with_the_number_of_questions(answers: list[str], page: str) -> None:
    def seconds(count: int) -> float:
        expected = [Expected((answers[i % len(answers)],), "") for i in range(count)]
        assert swapped(["What?"] * count, expected, [page] * count) == [None] * count
        return growth.seconds(lambda: swapped(["What?"] * count, expected, [page] * count), 1)

    assert not growth.faster_than_linear(seconds, 400, nothing=0.1)


def test_time_grows_with_the_length_of_a_reference() -> None:
    def seconds(size: int) -> float:
        expected, pages = [Expected((), "a x " * size)] * 2, ["b " * size] * 2
        return growth.seconds(lambda: swapped(["x"] * 2, expected, pages), 1)

    assert not growth.faster_than_linear(seconds, 5_000, nothing=0.1)
