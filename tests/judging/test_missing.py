"""What judges write, in 100 shapes written by hand; rewards by hand."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.judging.missing import LONGEST, Missing, Unscored, read, reward, similarities

from .judge_replies import REPLIES


@pytest.mark.parametrize(("reply", "rating", "missing"), REPLIES)
def test_it_reads_what_judges_write(reply: str, rating: float | None, missing: str | None) -> None:
    found = read(reply)
    if rating is None:
        assert isinstance(found, Unscored)
        assert found.reason
    else:
        assert isinstance(found, Missing)
        assert (found.rating, found.missing) == (rating, missing)


def test_there_are_a_hundred() -> None:
    assert len(set(REPLIES)) == 100


def test_the_assessment_is_what_stands_before() -> None:
    found = read("It is right, but short.\n\n[[7]] [[[The year.]]]")
    assert isinstance(found, Missing)
    assert found.assessment == "It is right, but short."


@pytest.mark.parametrize(
    ("rating", "missing", "similarity", "zeta", "by_hand"),
    [
        (10, "", 0.3, 0.5, 1.0),  # .5 * (10 - 5) / 5 + .5 * 1
        (1, "the year", 0.3, 0.0, -0.8),  # (1 - 5) / 5
        (5, "the year", 0.3, 0.0, 0.0),
        (1, "the year", 0.3, 1.0, 0.3),
        (1, "", 0.3, 1.0, 1.0),  # nothing is missing: c = 1 whatever the rating
        (7, "the year", -0.2, 0.25, 0.25),  # .75 * .4 - .25 * .2
        (6.5, "the year", 0.5, 0.5, 0.4),  # .5 * .3 + .5 * .5
    ],
)
def test_rewards_by_hand(rating: float, missing: str, similarity: float, zeta: float, by_hand: float) -> None:
    assert reward(Missing(rating, missing, ""), similarity, zeta) == pytest.approx(by_hand)


class Letters:
    """Embeds a text as its counts of a, b and c; counts what it is asked."""

    name = "letters"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.asked += texts
        rows = np.array([[text.count(letter) for letter in "abc"] for text in texts], dtype=np.float32)
        return np.asarray(
            rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=np.float32
        )


def test_similarities_are_cosines_and_each_text_is_embedded_once() -> None:
    embedder = Letters()
    found = similarities(["aab", "aab", "c"], ["a", "b", "c"], embedder)
    assert found == pytest.approx([2 / 5**0.5, 1 / 5**0.5, 1.0], abs=1e-6)
    assert sorted(embedder.asked) == ["a", "aab", "b", "c"]


@pytest.mark.parametrize(
    "bomb", ["[" * 10**6, "[[" + "]" * 10**6, "[[7]]" * 10**5, "[[[a " * 10**5, "[[" + "7" * 10**6 + "]]"]
)
def test_replies_of_any_size_are_read_in_linear_time(bomb: str) -> None:
    start = time.process_time()
    assert isinstance(read(bomb), Unscored)
    assert time.process_time() - start < 1
    assert len(bomb) > LONGEST
