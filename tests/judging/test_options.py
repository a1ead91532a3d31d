"""Multiple choice by log-probabilities, against numbers worked by hand, and letters in replies."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.judging.options import mc1, mc2, named_letter


def test_mc1_is_the_most_probable_one() -> None:
    assert mc1([-3.0, -4.0, -5.0], [1, 0, 0]) == 1
    assert mc1([-4.0, -3.0, -5.0], [1, 0, 0]) == 0
    assert mc1([-5.0, -4.0, -3.0], [0, 0, 1]) == 1  # wherever the true one stands
    assert mc1([-3.0, -3.0], [1, 0]) == 0  # a tie is not right


def test_mc2_is_the_share_of_the_true_ones() -> None:
    """.2 + .1 of .2 + .1 + .3 + .15: .3 / .75."""
    assert mc2([log(0.2), log(0.3), log(0.1), log(0.15)], [1, 0, 1, 0]) == pytest.approx(0.4)


def test_long_options_whose_probability_is_zero_have_a_share_all_the_same() -> None:
    assert mc2([-2000.0, -2000.0 + log(3)], [1, 0]) == pytest.approx(0.25)
    assert mc2([float("-inf"), -1.0], [1, 0]) == 0


def test_length_is_not_divided_out() -> None:
    """The long one has -1 a token, the short one -2: the short one is more probable as a whole."""
    assert mc1([-10.0, -4.0], [0, 1]) == 1


@given(
    st.lists(st.tuples(st.floats(-1e4, 0), st.integers(0, 1)), min_size=2, max_size=9).filter(
        lambda rows: len({label for _, label in rows}) == 2
    )
)
def test_shares_add_up_to_one(rows: list[tuple[float, int]]) -> None:
    values, labels = [value for value, _ in rows], [label for _, label in rows]
    share = mc2(values, labels)
    assert 0 <= share <= 1
    assert share + mc2(values, [1 - label for label in labels]) == pytest.approx(1)
    assert mc2(values[::-1], labels[::-1]) == pytest.approx(share)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([-1.0], [1]),
        ([-1.0, -2.0], [0, 0]),
        ([-1.0], [1, 0]),
        ([float("nan"), -1.0], [1, 0]),
        ([float("-inf")] * 2, [1, 0]),
    ],
)
def test_what_has_no_share(values: list[float], labels: list[int]) -> None:
    for measure in (mc1, mc2):
        with pytest.raises(ValueError, match="log-prob"):
            measure(values, labels)


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("A", "A"),
        ("b", "B"),
        ("(B)", "B"),
        ("B. It has eight legs.", "B"),
        ("The answer is B", "B"),
        ("Answer: A", "A"),
        ("Option A is true.", "A"),
        ("The correct option is (a).", "A"),
        ("**B**", "B"),
        ("The answer is A because it is so", "A"),
        ("The answer is a spider", None),
        ("A\nBecause it is so.", "A"),
        ("A compass points north.", None),
        ("Both", None),
        ("C", None),
        ("Neither A nor B", None),
        ("I have no comment.", None),
        ("", None),
        ("   ", None),
        ("Be" * 10_000, None),
        ("[" * 10_000, None),
    ],
)
def test_the_letter_of_a_reply(reply: str, letter: str | None) -> None:
    assert named_letter(reply, "AB") == letter
