"""MAUVE of answers: which texts are compared, and what is left as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from selfstudy.files.rows import Row
from selfstudy.verbs.citing.evaluating import evaluate
from selfstudy.verbs.citing.likeness import with_mauve
from tests.judging.test_citations import Entails


class Vectors:
    """A vector for each text, by its words; and what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[1.0 + len(text), *map(float, text.encode()[:3])] for text in texts])


def evaluated(*values: dict[str, Any]) -> Any:
    rows = [Row(f"item {at}", {"question": "Who?", "docs": []} | one) for at, one in enumerate(values)]
    return evaluate(rows, Entails(lambda premise, text: True))


def test_the_first_hundred_words_of_question_and_answer_are_compared() -> None:
    long = " ".join(f"w{n}" for n in range(200))
    found = evaluated(
        {"output": "Ann [1].", "answer": "It was Ann!?"},
        {"output": f"{long}", "annotations": [{"long_answer": "Bob."}, {"long_answer": "Not this."}]},
        {"output": "Without a reference."},
    )
    vectors = Vectors()
    after = with_mauve(found, vectors, "mine", seed=0, resamples=2)
    assert vectors.asked == [
        *("Who? It was Ann", "Who? Ann", "Who? Bob"),
        "Who? " + " ".join(f"w{n}" for n in range(99)),
    ]
    assert after.counts["plain"]["mauve"] == 2
    assert ("plain", "mauve", 2) in after.partial
    assert after.mauve_by == after.to_dict()["mauve_by"] == "mine"
    assert {**after.kinds["plain"], "mauve": None} == {**found.kinds["plain"], "mauve": None}
    assert "mauve" not in found.kinds["plain"]


def test_answers_that_are_the_references_are_like_them() -> None:
    same = evaluated(*({"output": f"Ann {n}", "answer": f"Ann {n}"} for n in range(9)))
    other = evaluated(*({"output": f"Xylophone {n} and more", "answer": f"Ann {n}"} for n in range(9)))
    values = [
        with_mauve(one, Vectors(), "mine", seed=0, resamples=2).kinds["plain"]["mauve"].value
        for one in (same, other)
    ]
    assert values[0] == pytest.approx(1)
    assert values[1] < 0.9


def test_without_references_there_is_no_figure() -> None:
    found = evaluated({"output": "Ann."})
    vectors = Vectors()
    assert with_mauve(found, vectors, "mine", seed=0) is found
    assert not vectors.asked
