"""Words that two texts spell in two ways."""

from __future__ import annotations

import pytest

from selfstudy.judging.forms import has_name, has_word, plain, plain_words, read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Twelve of 007", ["12", "of", "7"]),
        ("34 049 588 or 34.049.588 or 34,049,588", ["34049588", "or", "34049588", "or", "34049588"]),
        ("in 1990 300 of 2.850", ["in", "1990", "300", "of", "2.850"]),  # a year; perhaps a decimal point
        ("1776-07-04", ["4", "july", "1776"]),
        ("1776-17-04", ["1776", "17", "4"]),
        ("García's", ["garcia"]),
        ("पानी が", ["पानी", "が"]),
    ],
)
def test_the_plain_form_of_words(text: str, words: list[str]) -> None:
    assert [plain(term) for term in read(text)] == words


def test_parts_of_what_stands_together_are_words_too() -> None:
    assert {"12", "200", "12200"} <= plain_words("the 12 200 metres")


def test_other_forms_of_words_and_names() -> None:
    assert has_word("forms", frozenset({"forming"}))
    assert not has_name("forms", frozenset({"forming"}))
    for one, other in (("peru", "perus"), ("land", "landes"), ("москва", "москве")):
        assert has_name(one, frozenset({other}))
        assert has_name(other, frozenset({one}))
    for one, other in (("niger", "nigeria"), ("iran", "iraq"), ("1776", "1777")):
        assert not has_name(one, frozenset({other}))
