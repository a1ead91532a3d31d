"""Which answers of two pages exclude each other: numbers, dates, names, lists, yes and no."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy import load_nli
from selfstudy.judging.exclusive import Relation, relations
from selfstudy.models.base import EntailmentModel, Progress
from selfstudy.recipe import NLIBlock


class Judging:
    """Says the same of every pair."""

    name = "judging"

    def __init__(self, said: str, contradiction: float) -> None:
        self.said, self.contradiction = said, contradiction

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        return np.tile([1 - self.contradiction, self.contradiction], (len(pairs), 1))

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return [self.said] * len(pairs)


AGREES = Judging("entailment", 0.1)
NEUTRAL = Judging("neutral", 0.4)
CONTRADICTS = Judging("contradiction", 0.9)
LOST = Judging("", float("nan"))


@pytest.mark.parametrize(
    ("question", "one", "other", "nli", "found"),
    [
        # numbers decide against a model that sees no difference
        ("How high is K2?", "K2 is 8,611 metres high.", "K2 is 8,000 metres high.", AGREES, "exclusive"),
        ("When was it built?", "It was built in 1903.", "It was built in 1911.", AGREES, "exclusive"),
        ("When was it built?", "It was built in 1900.", "It was built in 1903.", AGREES, "exclusive"),
        ("How do addresses end?", "They end in .ax.", "They end in .lv.", AGREES, "exclusive"),
        ("Was it built?", "Yes.", "No.", AGREES, "exclusive"),
        # rounding and form
        ("How many?", "It has 34,049,588 people.", "It has about 34 million people.", NEUTRAL, "same"),
        ("How many?", "It has 34 049 588 people.", "It has 34,049,588 people.", NEUTRAL, "same"),
        ("How many?", "It has 34,549,588 people.", "It has about 34 million people.", NEUTRAL, "exclusive"),
        ("How cold?", "It was -41 degrees.", "It was 41 degrees.", NEUTRAL, "exclusive"),
        # one says more than the other
        ("When was she born?", "In 1867.", "On 7 November 1867 in Warsaw.", NEUTRAL, "same"),
        # a word of the question may be the answer
        ("Which zone has Oslo?", "It is Europe/Oslo.", "It is Europe/London.", CONTRADICTS, "exclusive"),
        # names: both may be right unless a model says that they cannot
        ("Who borders Mali?", "Mali borders Niger.", "Mali borders Guinea.", NEUTRAL, "other"),
        ("What is the capital?", "It is Lima.", "It is Cusco.", CONTRADICTS, "exclusive"),
        ("What is the capital?", "It is Lima.", "It is Cusco.", LOST, "other"),
        ("When was it built?", "It was built in 1903.", "It was built by Eiffel.", CONTRADICTS, "other"),
        ("What is the capital?", "The capital is Lima.", "Lima is its capital.", CONTRADICTS, "same"),
    ],
)
def test_relation(question: str, one: str, other: str, nli: EntailmentModel, found: Relation) -> None:
    assert relations([question], [one], [other], nli) == [found]
    assert relations([question], [other], [one], nli) == [found]


def test_order_and_empty() -> None:
    assert relations([], [], [], LOST) == []
    questions = ["How high?", "How high?"]
    assert relations(questions, ["5 m", "5 m"], ["5 m", "7 m"], NEUTRAL) == ["same", "exclusive"]


def test_huge_numbers_are_no_work() -> None:
    huge = "9" * 5_000
    assert relations(["How many?"], [f"It has {huge}."], [f"It has 1{huge}."], NEUTRAL) != ["same"]
    assert relations(["How many?"], ["It has 1e999999999."], ["It has 2."], NEUTRAL) != ["same"]


def test_with_the_model_that_ships() -> None:
    nli = load_nli(NLIBlock(path="atlas"))
    asked = "What is the currency of Mali?"
    said = ["The currency of Mali is the CFA Franc.", "The currency of Mali is the Euro."]
    assert relations([asked] * 2, [said[0]] * 2, [said[1], "Mali uses the CFA Franc."], nli) == [
        "exclusive",
        "same",
    ]


@pytest.mark.parametrize("nothing", ["", "...", "-", "\U0001f600"])
def test_an_answer_without_a_word_stops_nothing(nothing: str) -> None:
    assert relations(["How high?"], [nothing], ["5 m"], LOST) == ["other"]
    assert relations(["How high?"], ["5 m"], [nothing], LOST) == ["other"]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("It is 100 km long.", "It is 62 miles long.", "other"),
        ("1.80 m", "180 cm", "other"),
        ("1.3 million square kilometres", "0.5 million square miles", "other"),
        ("100 km", "200 kilometres", "exclusive"),
        ("100 km", "200", "exclusive"),
        ("in 1932", "in 1933", "exclusive"),
    ],
)
def test_other_units_are_no_conflict(one: str, other: str, found: Relation) -> None:
    assert relations(["How long is it?"], [one], [other], NEUTRAL) == [found]
    assert relations(["How long is it?"], [other], [one], NEUTRAL) == [found]
