"""Exact match and F1 against numbers worked by hand with the published rules."""

from __future__ import annotations

import pytest

from selfstudy.judging.squad import best_f1, exact_match, refuses


def test_exact_match_takes_the_best_of_the_answers() -> None:
    assert exact_match("The Pacific Ocean!", ["Pacific ocean"])
    assert exact_match("da Vinci", ["Leonardo da Vinci", "da vinci"])
    assert not exact_match("Vinci", ["Leonardo da Vinci", "da vinci"])
    assert exact_match("Ünïcode 北京", ["ünïcode 北京"])


def test_f1_worked_by_hand() -> None:
    """Two of the reply's four words (its article dropped), and both of the answer's: .5, 1."""
    assert best_f1("It is the Pacific Ocean", ["Pacific Ocean"]) == pytest.approx(2 * 0.5 * 1 / 1.5)
    # "cat cat" and "cat sat": one in common
    assert best_f1("cat cat", ["cat sat"]) == pytest.approx(0.5)
    assert best_f1("cat cat", ["dog", "cat sat", "cat cat"]) == 1
    assert best_f1("Paris", ["London"]) == 0
    assert best_f1("the", ["a"]) == 1  # both have no word
    assert best_f1("6.3", ["63"]) == 1  # as published, and not as `text.normalise` has it


def test_without_an_answer_only_a_refusal_is_right() -> None:
    for reply in ("Unknown", "The document does not say.", "I don't know.", ""):
        assert exact_match(reply, [])
        assert best_f1(reply, []) == 1
    for reply in ("Paris", "the"):
        assert not exact_match(reply, [])
        assert best_f1(reply, []) == 0


def test_a_refusal_of_what_has_an_answer_earns_nothing() -> None:
    """Without this "does not say" would have words in common with an answer that has them."""
    reply = "The document does not say."
    assert refuses(reply)
    assert best_f1(reply, ["what the document does not show"]) == 0
    assert best_f1("Unknown", ["The Unknown"]) == 1  # a film
    assert exact_match("Unknown", ["The Unknown"])
