"""ROUGE-L over sentences, worked by hand.

4,000 pairs of random texts had the same figure as with rouge-score 0.1.2, which is not installed here.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.judging.rouge import common, rouge_l, summary_level, words


def split(text: str) -> list[list[str]]:
    return [line.split() for line in text.split("/")]


def test_the_example_of_the_paper() -> None:
    """Lin 2004, section 3.2: w1 w2 of one sentence and w1 w3 w5 of another are four of five words."""
    recall, precision = 4 / 5, 4 / 10
    found = summary_level(split("w1 w2 w6 w7 w8 / w1 w3 w8 w9 w5"), split("w1 w2 w3 w4 w5"))
    assert found == pytest.approx(2 * recall * precision / (recall + precision))


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("a b c", "a b c", 1.0),
        ("c b a", "a b c", 1 / 3),  # order counts
        ("b / a", "a b", 1.0),  # but not that of sentences
        ("a", "a / a", 2 / 3),  # found once, though it is in both sentences
        ("a a / a", "a", 1 / 2),
        ("a b", "c d", 0.0),
        ("", "a", 0.0),
        ("a", "", 0.0),
    ],
)
def test_worked_by_hand(text: str, reference: str, expected: float) -> None:
    assert summary_level(split(text), split(reference)) == pytest.approx(expected)


def test_words_are_lower_case_letters_and_digits_stemmed_where_long() -> None:
    assert words("The U.S. houses were RUNNING in 1999, twice-daily [1]") == [
        *("the", "u", "s", "hous", "were", "run", "in", "1999", "twice", "daili", "1")
    ]
    assert words("Москва é") == []
    assert words("was uses") == ["was", "use"]  # three letters are left alone


def test_the_best_reference_counts_and_sentences_are_set_apart() -> None:
    text = "It flows through Vienna. The Danube is long."
    assert rouge_l(text, ["Nothing of that."]) == 0
    assert rouge_l(text, ["Nothing of that.", "The Danube is long. It flows through Vienna."]) == 1
    with pytest.raises(ValueError, match="no reference"):
        rouge_l(text, [])


def test_of_equal_subsequences_the_one_of_the_published_scorer() -> None:
    assert common(["a", "b"], ["b", "a"]) == [0]
    assert common(["a", "a"], ["a"]) == [1]


TEXT = st.lists(st.lists(st.sampled_from("abcd"), max_size=6), max_size=4)


@given(TEXT, TEXT)
def test_it_is_a_share_and_whole_for_the_text_itself(text: list[list[str]], other: list[list[str]]) -> None:
    assert 0 <= summary_level(text, other) <= 1
    assert summary_level(text, text) == pytest.approx(float(any(text)))


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_a_common_subsequence_stands_in_both(one: list[str], other: list[str]) -> None:
    places = common(one, other)[::-1]
    assert places == sorted(set(places))
    rest = iter(other)
    assert all(one[place] in rest for place in places)


def test_a_text_without_end_takes_seconds() -> None:
    start = time.monotonic()
    assert rouge_l("word " * 200_000, ["word other " * 100_000]) == pytest.approx(1 / 2)
    assert time.monotonic() - start < 20


def test_many_sentences_are_compared_up_to_a_limit() -> None:
    """180 kB of short sentences against as many: seconds, where each against each took minutes."""
    text = "".join(f"Suva is {number}. " for number in range(12_000))
    assert rouge_l(text, [text]) == 1.0
    assert rouge_l("Suva is. " * 20_000, ["Suva is. " * 20_000]) == 1.0
