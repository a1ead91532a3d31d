"""Entropy of words, worked by hand."""

from __future__ import annotations

from math import log

import pytest

from selfstudy.records import Answer, Completion, Question

from .scoring import scores_of


def weighted(*samples: tuple[str, float, int]) -> Answer:
    return Answer(
        question_id=Question(text="Q").id,
        passage=Completion(text="a"),
        samples=tuple(Completion(text=t, logprob=p, tokens=n) for t, p, n in samples),
    )


def test_predictive_entropy_by_hand() -> None:
    # -log 2 and -log 8 per token: the mean is -log 4
    (found,) = scores_of("predictive-entropy", weighted(("a", -2 * log(2), 2), ("b", -3 * log(8), 3)))
    assert found.value == pytest.approx(0.75)
    assert found.parts == {"entropy": pytest.approx(log(4))}
    (certain,) = scores_of("predictive-entropy", weighted(("a", 0.0, 2), ("b", 0.0, 1)))
    assert (certain.value, certain.parts) == (0.0, {"entropy": 0.0})
