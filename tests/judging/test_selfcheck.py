"""SelfCheck-NLI against numbers worked by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.judging.selfcheck import passage_score, score_passages
from selfstudy.models.base import Progress


class Recorder:
    """P(contradiction) = given numbers, in the order of the pairs."""

    name = "recorder"

    def __init__(self, values: Sequence[float]) -> None:
        self.values = values
        self.pairs: list[tuple[str, str]] = []

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        self.pairs.extend(pairs)
        c = np.array(self.values[: len(pairs)])
        return np.stack([1 - c, c], axis=1)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        raise AssertionError("SelfCheck uses probabilities")


def test_mean_over_samples_then_over_sentences() -> None:
    nli = Recorder([0.2, 0.4, 1.0, 0.0, 0.5])
    first, empty, unsampled, last = score_passages(
        ["It is red. It is old.", "", "Alone.", "Here."], [["a", "b"], ["c"], [], ["d"]], nli
    )
    assert nli.pairs == [
        ("It is red.", "a"), ("It is red.", "b"), ("It is old.", "a"), ("It is old.", "b"), ("Here.", "d"),
    ]  # fmt: skip
    assert [s.value for s in first] == pytest.approx([0.3, 0.5])
    assert first[1].per_sample == (1.0, 0.0)
    assert passage_score(first) == pytest.approx(0.4)
    assert (empty, unsampled) == ([], [])
    assert passage_score(empty) is None
    assert passage_score(last) == 0.5


def test_a_sentence_without_a_number_is_left_out() -> None:
    (scored,) = score_passages(["One. Two."], [["a"]], Recorder([float("nan"), 0.6]))
    assert [s.text for s in scored] == ["Two."]
    assert passage_score(scored) == pytest.approx(0.6)


def test_nothing_asks_nothing() -> None:
    nli = Recorder([])
    assert score_passages([], [], nli) == []
    assert nli.pairs == []
