"""The stored questions that are near to texts."""

from __future__ import annotations

import numpy as np
import pytest

from selfstudy.models.nearest_questions import Sought, StoredQuestions
from selfstudy.models.question_words import QuestionWords, Worded

TEXTS = ["red ant", "red bee", "blue cat", "blue dog"]
"""Two questions of the base, two of an adapter, one row each."""


def unit(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def stored() -> StoredQuestions:
    words = QuestionWords([Worded.of([one]) for one in TEXTS])
    return StoredQuestions(unit(0, 10, 60, 80), np.arange(4), np.array([0, 0, 1, 1]), words)


def scores(text: str, degrees: float, cover: float = 0.0, neighbours: int = 1) -> tuple[list, list]:
    sought = Sought.of([text], unit(degrees))
    found = stored().scores(stored().pairs(sought, cover), 1, 2, neighbours)
    return found[0][0].tolist(), found[1][0].tolist()


def test_the_nearest_row_of_each_class_counts() -> None:
    similar, nearest = scores("red blue", 70)
    assert similar == pytest.approx([0.5, np.cos(np.deg2rad(10))], abs=1e-4)
    assert nearest == [1, 2], "of two that are as near, the first"


def test_or_the_mean_of_several_as_many_as_there_are() -> None:
    similar, _ = scores("red blue", 60, neighbours=2)
    assert similar[1] == pytest.approx((1 + np.cos(np.deg2rad(20))) / 2, abs=1e-4)
    similar, _ = scores("dog", 60, cover=0.5, neighbours=2)
    assert similar[1] == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-4)


def test_what_is_not_covered_does_not_count() -> None:
    assert scores("ant", 60, cover=0.6) == ([pytest.approx(0.5, abs=1e-4), 0.0], [0, -1])
    assert scores("owl", 60, cover=0.6) == ([0.0, 0.0], [-1, -1])


def test_a_vector_of_zeros_is_near_nothing() -> None:
    sought = Sought.of(["red blue"], np.zeros((1, 2), np.float32))
    assert not len(stored().pairs(sought, 0.0).text)


def test_blocks_are_put_together_in_order() -> None:
    sought = Sought.of(["ant", "dog"] * 100, unit(*[0, 80] * 100))
    pairs = stored().pairs(sought, 0.6)
    assert pairs.text.tolist() == list(range(200))
    assert pairs.row.tolist() == [0, 3] * 100
    assert pairs.similarity.tolist() == [1.0] * 200


def test_no_texts_have_no_pairs() -> None:
    sought = Sought.of([], np.zeros((0, 2), np.float32))
    score, nearest = stored().scores(stored().pairs(sought, 0.5), 0, 2)
    assert score.shape == nearest.shape == (0, 2)


def test_names_of_something_else_can_be_held_against_a_text() -> None:
    pairs = stored().pairs(Sought.of(["the ant of Rome"], unit(0)), 0.6)
    assert len(pairs.passing(0.6, names=False).row) == 1
    assert len(pairs.passing(0.6, names=True).row) == 0
