"""Entailment by words, names and numbers, and by an embedder where these say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from selfstudy.judging.agreement import agreements
from selfstudy.judging.by_words import WordEntailment
from selfstudy.models.embedder import LexicalEmbedder

NLI = WordEntailment(LexicalEmbedder)
CAPITAL = "The capital of Poland is Warsaw."


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        (CAPITAL, CAPITAL, "entailment"),
        (CAPITAL, "Warsaw is the capital of Poland.", "entailment"),
        (CAPITAL, "Warsaw", "entailment"),
        (CAPITAL, "The capital of Poland is Krakow.", "contradiction"),
        ("Warsaw", "Krakow", "contradiction"),
        ("the capital is warsaw", "the capital is krakow", "contradiction"),
        ("The capital is Warsaw.", "The capital is not Warsaw.", "contradiction"),
        ("The bridge is 420 metres long.", "The bridge is 240 metres long.", "contradiction"),
        (CAPITAL, "Poland's capital, Warsaw, lies on the Vistula.", "neutral"),
        ("Warsaw", CAPITAL, "neutral"),
        (CAPITAL, "Basalt forms when Etna erupts.", "neutral"),
        (CAPITAL, "I don't know.", "neutral"),
        ("Die Hauptstadt von Polen ist Warschau.", "Die Hauptstadt von Polen ist Krakau.", "contradiction"),
        ("波兰的首都是华沙。", "波兰的首都是华沙。", "entailment"),
    ],
)
def test_labels(premise: str, hypothesis: str, label: str) -> None:
    assert NLI.classes([(premise, hypothesis)]) == [label]
    ((entails, contradicts),) = NLI.probabilities([(premise, hypothesis)])
    assert entails + contradicts == pytest.approx(1.0)
    assert (contradicts > 0.5) == (label == "contradiction")


def test_the_embedder_is_asked_only_where_there_is_no_name_and_no_number() -> None:
    asked: list[str] = []

    class Counting(LexicalEmbedder):
        def encode(self, texts: list[str]) -> np.ndarray:  # type: ignore[override]
            asked.extend(texts)
            return super().encode(texts)

    nli = WordEntailment(Counting)
    assert nli.probabilities([(CAPITAL, "The capital of Poland is Krakow.")]).shape == (1, 2)
    assert asked == []
    like, unlike = nli.probabilities(
        [("Its colour was red.", "Its colours were red."), ("Its colour was red.", "Of granite, mostly.")]
    )
    assert len(asked) == 4
    assert like[0] > 0.5 > unlike[0]


def test_no_pairs() -> None:
    assert NLI.probabilities([]).shape == (0, 2)
    assert NLI.classes([]) == []


def test_answers_agree_by_it() -> None:
    question = "What is the capital of Poland?"
    said = [
        "Warsaw.",
        "Warsaw, on the river Vistula, is Poland's capital.",
        "It is Krakow.",
        "It is not Warsaw.",
        "Poland lies in Europe.",
    ]
    found = agreements([question] * 5, said, [CAPITAL] * 5, NLI)
    assert [one.same for one in found] == [True, True, False, False, False]
