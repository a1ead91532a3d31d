"""SelfCheck by the nearest sentence of each sample, worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..test_capability import Placed
from .scoring import answer, loaded, scores_of


def test_the_nearest_sentence_of_each_sample_by_hand() -> None:
    places = {
        "Vienna is old.": [1.0, 0.0],
        "So it is.": [0.0, 1.0],
        "Vienna is ancient.": [0.8, 0.6],
        "Graz is new.": [-1.0, 0.0],
    }
    (found,) = scores_of(
        "selfcheck-embedding",
        answer("Vienna is old. So it is.", "Vienna is ancient. Graz is new.", "Graz is new.", ""),
        models=loaded(embedder=Placed(places)),
    )
    first, second = found.sentences
    assert first.per_sample == pytest.approx((0.2, 1.0, 1.0))  # opposite and empty: nothing near
    assert second.per_sample == pytest.approx((0.4, 1.0, 1.0))
    assert found.value == pytest.approx((2.2 / 3 + 2.4 / 3) / 2)


def test_every_distinct_sentence_is_embedded_once_in_one_call() -> None:
    class Listening(Placed):
        def __init__(self) -> None:
            self.calls: list[list[str]] = []

        def encode(self, texts: Any) -> Any:
            self.calls.append(list(texts))
            return np.ones((len(texts), 1), dtype=np.float32)

    embedder = Listening()
    scores = scores_of(
        "selfcheck-embedding",
        answer("Vienna. Graz.", "Graz.", "Graz. Linz."),
        answer("Linz.", "Vienna."),
        models=loaded(embedder=embedder),
    )
    assert embedder.calls == [["Vienna.", "Graz.", "Linz."]]
    assert [s.value for s in scores] == [0.0, 0.0]


def test_what_the_embedder_has_no_number_for_is_not_consistent() -> None:
    places = {"Vienna.": [1.0], "Graz.": [1.0], "Linz.": [float("nan")]}
    some, none, empty = scores_of(
        "selfcheck-embedding",
        answer("Vienna. Linz.", "Graz.", "Linz."),
        answer("Linz.", "Vienna."),
        answer(" ", "Vienna."),
        models=loaded(embedder=Placed(places)),
    )
    assert [(s.text, s.per_sample) for s in some.sentences] == [("Vienna.", (0.0, None))]
    assert some.value == 0.0
    assert (none.value, none.error) == (None, "the embedder gave NaN or inf for every sentence")
    assert empty.error == "the passage is empty"
