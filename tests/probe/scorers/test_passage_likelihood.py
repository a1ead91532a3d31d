"""Likelihood of the passage, worked by hand."""

from __future__ import annotations

from math import nan

import pytest

from selfstudy.probe.scorers.passage_likelihood import HALF
from selfstudy.records import Answer, Completion, Question

from .scoring import score, scores_of


def passage(logprob: float, tokens: int = 3, text: str = "a") -> Answer:
    said = Completion(text=text, logprob=logprob, tokens=tokens)
    return Answer(question_id=Question(text=f"{text}?").id, passage=said, samples=())


def test_it_is_the_summed_negative_log_probability_on_a_line_from_0_to_1() -> None:
    found = scores_of("passage-likelihood", passage(0.0), passage(-HALF), passage(-3 * HALF, tokens=300))
    assert [one.value for one in found] == [0.0, 0.5, pytest.approx(0.75)]
    assert [one.parts for one in found] == [{"nll": 0.0}, {"nll": HALF}, {"nll": 3 * HALF}]


def test_long_answers_are_told_apart() -> None:
    less, more = scores_of("passage-likelihood", passage(-200.0), passage(-201.0))
    assert less.value is not None
    assert more.value is not None
    assert less.value < more.value < 1.0


def test_what_has_no_log_probability_is_no_score() -> None:
    imported, unasked, empty = passage(0.0, tokens=0), passage(nan), passage(-1.0, text=" ")
    for value, error in score("passage-likelihood", imported, unasked):
        assert value is None
        assert error is not None
        assert "log-probability" in error
    assert score("passage-likelihood", empty) == [(None, "the passage is empty")]
