"""What a reader says may be checked against its page by words alone."""

from __future__ import annotations

import pytest

from selfstudy.judging.grounding import adds, gist, names, strangers, ungrounded

PAGE = (
    "Ferro\nThe Ferro is a river. It rises near Lake Tolm, forms a wide delta at Marsk and is 2,850 "
    "kilometres long. The Ferro's largest port is Ulm Stad. About 41 ferries cross it."
)


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        ("Where does the Ferro rise?", "The Ferro rises near Lake Tolm.", None),
        ("Where does the Ferro rise?", "Lake Tolm", None),
        ("What does the Ferro form?", "It is forming a delta.", None),  # another form of a word
        ("How long is the Ferro?", "The Ferro is 2,850 kilometres long.", None),
        ("How long is the Ferro?", "2850 km", None),
        ("What is the Ferro's largest port?", "Ulm Stad is the largest port of the Ferro.", None),
        ("Is the Ferro a river?", "Yes.", None),  # words cannot tell
        ("Is the Ferro a river?", "Yes, the Ferro is a river.", None),
        ("Is the Ferro a lake?", "No, it is not a lake.", None),
        ("Is the Ferro a lake?", "No, Thames.", "'Thames' does not stand in the page"),
        ("Is the Ferro a river or a lake?", "A river.", None),  # a choice
        ("Is the Ferro a river or a lake?", "A river or a lake.", "the answer adds nothing to the question"),
        ("Does the Ferro end at Ulm or Marsk?", "It ends at Marsk.", None),
        ("Does the Ferro end at Krakow or Marsk?", "It is Krakow.", "'Krakow' does not stand in the page"),
        ("How long is the Ferro?", "The Ferro is 285 kilometres long.", "'285' does not stand in the page"),
        ("How many ferries cross the Ferro?", "-41 cross it.", "'-41' does not stand in the page"),
        (
            "Where does the Ferro end?",
            "The Ferro ends in the Black Sea.",
            "'Black' does not stand in the page",
        ),
        ("What is the Ferro?", "The Ferro.", "the answer adds nothing to the question"),
        ("What is basalt?", "Basalt.", "the answer adds nothing to the question"),
        ("Where does the Danube rise?", "Near Lake Tolm.", "the page does not name 'Danube'"),
        ("What crosses the Ferro?", "many wooden bridges", "the answer's words do not stand in the page"),
    ],
)
def test_what_can_have_been_read(question: str, answer: str, why: str | None) -> None:
    assert ungrounded(question, answer, PAGE) == why


def test_most_names_of_a_question_must_be_in_the_page() -> None:
    assert ungrounded("Which port has the Ferro, of Europe?", "It is Ulm Stad.", PAGE) is None
    assert ungrounded("Which port has Europe, of Asia?", "It is Ulm Stad.", PAGE) is not None


def test_words_that_are_added_and_words_that_are_strange() -> None:
    assert adds("Where does the Ferro rise?", "The Ferro rises near Lake Tolm.") == {
        "rises",
        "near",
        "lake",
        "tolm",
    }
    assert strangers("What month does the Ferro have?", PAGE) == ["month", "does", "have"]
    assert names("Which is the Ferro's port at Marsk, 41 or C++?") == ["Ferro's", "Marsk", "41", "C++"]


@pytest.mark.parametrize(
    ("question", "answer", "page"),
    [
        ("How many moons has Ferro?", "two moons", "Ferro has 2 moons."),
        ("How many moons has Ferro?", "It has 2.", "Ferro has two moons."),
        ("How many people has Ferro?", "34049588", "Ferro has 34 049 588 people."),
        ("When was Ferro founded?", "1776-07-04", "Ferro was founded on 4 July 1776."),
        ("Who wrote about Ferro?", "Gabriel Garcia Marquez", "Gabriel García Márquez wrote about Ferro."),
        ("Wo liegt Lima?", "Lima liegt in Peru.", "Lima ist Perus Hauptstadt."),
    ],
)
def test_another_spelling_is_the_same_word(question: str, answer: str, page: str) -> None:
    assert ungrounded(question, answer, page) is None


def test_answers_agree_that_say_no_to_the_same() -> None:
    asked = "Is Lima the capital of Peru?"
    yes, no = gist(asked, "Yes."), gist(asked, "No.")
    assert not yes.agrees(no)
    assert yes.agrees(gist(asked, "Yes, Lima is the capital of Peru."))
    assert no.agrees(gist(asked, "No, it is not the capital."))
    assert not gist("What of it?", "It was ratified.").agrees(gist("What of it?", "It was not ratified."))
    assert gist("Who did not sign?", "Peru did not sign.").agrees(gist("Who did not sign?", "Peru."))
    choice = "Is Vienna in Austria or Hungary?"
    assert not gist(choice, "Austria.").agrees(gist(choice, "Hungary."))
    assert not yes.agrees(gist(asked, "Yes, since 1535."))
