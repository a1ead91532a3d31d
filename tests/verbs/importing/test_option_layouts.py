"""Options in columns of their own or within the question: their text is taught, not the letter."""

from __future__ import annotations

from typing import Any

import pytest

from selfstudy.verbs.importing.lessons import read_lesson
from selfstudy.verbs.importing.option_layouts import in_columns, in_one_line, in_text, spelled_out

ASK = "Which metal is liquid?"


@pytest.mark.parametrize(
    "row",
    [
        {"question": ASK, "A": "iron", "B": "mercury", "C": "tin", "answer": "B"},
        {"question": ASK, "option_a": "iron", "option_b": "mercury", "answer": "b"},
        {"question": ASK, "Option1": "iron", "Option2": "mercury", "answer": "2"},
        {"question": ASK, "opa": "iron", "opb": "mercury", "cop": "B"},
        {"question": ASK, "options": "A) iron\nB) mercury", "answer": "B"},
        {"question": ASK, "options": "(A) iron (B) mercury", "answer": "(B)"},
        {"question": ASK, "options": ["iron", "mercury"], "answer": "Ｂ"},
        {"question": ASK, "options": {"Ａ": "iron", "Ｂ": "mercury"}, "correct_option": "B"},
        {"question": ASK, "options": ["iron", "mercury"], "output": "B"},
        {"question": ASK, "answers": ["iron", "mercury"], "correct": "B"},
        {"question": f"{ASK}\nA. iron\nB. mercury", "answer": "B"},
        {"question": f"{ASK} (A) iron (B) mercury", "answer": "b)"},
        {"question": f"{ASK} 1) iron 2) mercury", "answer": "2"},
        {"instruction": "Choose one.", "input": f"{ASK}\nA) iron\nB) mercury\nC) tin", "output": "B"},
    ],
)
def test_the_text_is_taught(row: dict[str, Any]) -> None:
    assert read_lesson(row).answers == ("mercury",)


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"question": "Which vitamin do oranges have?", "answer": "C"}, "C"),
        ({"question": "Which vitamin? (See J. A. Lind: C. is the one.)", "answer": "C"}, "C"),
        ({"question": f"{ASK} A) iron B) mercury", "answer": "mercury"}, "mercury"),
        ({"question": ASK, "A": "note", "answer": "B"}, "B"),
        ({"question": ASK, "answers": ["mercury", "quicksilver"]}, "mercury"),
    ],
)
def test_a_letter_may_be_the_answer(row: dict[str, Any], answer: str) -> None:
    assert read_lesson(row).answers[0] == answer


def test_the_parts() -> None:
    assert in_columns({"choice_b": "2", "choice_a": "1"}) == {"A": "1", "B": "2"}
    assert in_columns({"option_a": "1", "option_c": "3"}) == {}
    assert in_text("A) one; B) two\nC) three\nSay the letter.") == {"A": "one", "B": "two", "C": "three"}
    assert in_text("A) one C) three") == {}
    assert spelled_out(["D", "b", "x"], "A) one B) two") == ["D", "two", "x"]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a ) 38 , b ) 27.675 , c ) none of these", {"A": "38", "B": "27.675", "C": "none of these"}),
        ("a ) 1,027 , b ) rs . 400 ( a )", {"A": "1,027", "B": "rs . 400 ( a )"}),
        ("['a ) 38', 'b ) 40']", {"A": "38", "B": "40"}),
        ("which of a ) 38 , b ) 40", {}),
        ("a ) 38 , c ) 40", {}),
        ("a ) 38", {}),
        ("a ) , b ) 40", {}),
    ],
)
def test_options_as_mathqa_has_them(text: str, options: dict[str, str]) -> None:
    assert in_one_line(text) == options
