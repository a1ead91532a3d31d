"""Windows: whole sentences that overlap, and one verdict out of many."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from selfstudy.models import windows
from selfstudy.text import sentences

ENTAILMENT, NEUTRAL, CONTRADICTION = [4.0, 0.0, -4.0], [-3.0, 4.0, -2.0], [-4.0, 0.0, 4.0]


def count(text: str) -> int:
    return len(text.split())


def test_windows_hold_every_sentence_and_overlap_by_one() -> None:
    text = " ".join(f"Sentence number {i} is here." for i in range(12))
    found = windows.windows(text, 12, count)
    assert all(count(window) <= 12 for window in found)
    assert {s for window in found for s in sentences(window)} == set(sentences(text))
    for before, after in pairwise(found):
        assert sentences(before)[-1] == sentences(after)[0]
    assert windows.windows(text, 1000, count) == [text]


@pytest.mark.parametrize(
    "text", ["word " * 100, "x" * 1000, "国家的首都" * 60, "One. " + "word " * 50 + "end. Two."]
)
def test_what_is_no_sentence_is_cut(text: str) -> None:
    def letters(piece: str) -> int:
        return len(piece)

    found = windows.windows(text, 37, letters)
    assert max(map(len, found)) <= 37
    assert set("".join(found)) >= set(text) - {" "}
    assert sum(map(len, found)) >= len(text.replace(" ", ""))


@pytest.mark.parametrize(
    ("rows", "premise", "hypothesis"),
    [
        ([NEUTRAL, ENTAILMENT, NEUTRAL], ENTAILMENT, ENTAILMENT),
        ([NEUTRAL, NEUTRAL, CONTRADICTION], CONTRADICTION, CONTRADICTION),
        ([[6.0, 0, 0], NEUTRAL, CONTRADICTION], [6.0, 0, 0], CONTRADICTION),
        ([NEUTRAL], NEUTRAL, NEUTRAL),
    ],
)
def test_the_window_that_decides(
    rows: list[list[float]], premise: list[float], hypothesis: list[float]
) -> None:
    assert windows.over_premises(np.array(rows), 0, 2).tolist() == premise
    assert windows.over_hypotheses(np.array(rows), 0, 2).tolist() == hypothesis


def test_a_window_without_a_number_leaves_the_pair_without_one() -> None:
    rows = np.array([ENTAILMENT, [np.nan] * 3])
    assert np.isnan(windows.over_premises(rows, 0, 2)).all()
    assert np.isnan(windows.over_hypotheses(rows, 0, 2)).all()


def test_the_shorter_text_gets_what_it_needs() -> None:
    assert windows.sizes(10, 300, 100) == (10, 90)
    assert windows.sizes(300, 10, 100) == (90, 10)
    assert windows.sizes(300, 300, 100) == (50, 50)


def test_of_a_model_without_contradictions_the_window_that_is_entailed_least_decides() -> None:
    rows = np.array([[3.0, 0.0], [0.5, 0.0], [9.0, 8.9]])
    assert windows.over_supported(rows, 0).tolist() == [9.0, 8.9]
    assert windows.over_supported(rows, 1).tolist() == [3.0, 0.0]
    assert np.isnan(windows.over_supported(np.array([[1.0, 0.0], [np.nan, 0.0]]), 0)).any()
