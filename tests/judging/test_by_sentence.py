"""Premises judged a sentence at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from selfstudy.judging.by_sentence import BySentence, for_citations
from selfstudy.models import load_nli
from selfstudy.recipe import NLIBlock, NoNLI
from tests.judging.test_citations import Entails

ROME = "Title: Rome\nRome is old. It lies on the Tiber.\nIts streets are loud."


class Numbers:
    """An entailment model that says what a table says of each sentence."""

    name = "numbers"

    def __init__(self, table: dict[str, float]) -> None:
        self.table = table
        self.asked: list[tuple[str, str]] = []

    def probabilities(self, pairs: Sequence[tuple[str, str]], progress: object = None) -> np.ndarray:
        self.asked += pairs
        return np.array([[self.table[one], 1 - self.table[one]] for one, _ in pairs])

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        self.asked += pairs
        names = {1.0: "entailment", 0.5: "neutral", 0.0: "contradiction"}
        return [names.get(self.table[one], "") for one, _ in pairs]


def test_one_sentence_is_enough_and_titles_say_nothing() -> None:
    table = {"Rome is old.": 0.5, "It lies on the Tiber.": 1.0, "Its streets are loud.": 0.0, "": 0.5}
    model = Numbers(table)
    assert BySentence(model).classes([(ROME, "Rome lies on the Tiber.")]) == ["entailment"]
    assert [one for one, _ in model.asked] == list(table)[:3]
    assert BySentence(model).classes([("Rome is old. Its streets are loud.", "x")]) == ["contradiction"]
    assert BySentence(model).classes([("Rome is old.", "x"), ("", "x")]) == ["neutral", "neutral"]


def test_what_is_not_known_of_one_is_not_known() -> None:
    model = Numbers({"Rome is old.": 1.0, "It lies on the Tiber.": 7.0})
    assert BySentence(model).classes(
        [("Rome is old. It lies on the Tiber.", "x"), ("Rome is old.", "x")]
    ) == [
        "",
        "entailment",
    ]
    model = Numbers({"Rome is old.": 1.0, "It lies on the Tiber.": float("nan")})
    found = BySentence(model).probabilities(
        [("Rome is old. It lies on the Tiber.", "x"), ("Rome is old.", "x")]
    )
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == [1.0, 0.0]


def test_probabilities_are_those_of_the_sentence_that_entails_most() -> None:
    model = Numbers({"Rome is old.": 0.2, "It lies on the Tiber.": 0.7, "": 0.4})
    found = BySentence(model).probabilities(
        [("Title: Rome\nRome is old. It lies on the Tiber.", "x"), ("", "x")]
    )
    assert found.tolist() == [[0.7, pytest.approx(0.3)], [0.4, 0.6]]
    assert BySentence(model).probabilities([]).shape == (0, 2)
    assert BySentence(model).classes([]) == []


def test_atlas_nli_is_asked_so_and_others_when_told() -> None:
    judge = Entails(lambda premise, hypothesis: True)
    assert isinstance(for_citations(NLIBlock(), judge), BySentence)
    assert for_citations(NLIBlock(premise="whole"), judge) is judge
    assert for_citations(NLIBlock(path="some/model"), judge) is judge
    assert isinstance(for_citations(NLIBlock(path="some/model", premise="sentences"), judge), BySentence)
    assert for_citations(NoNLI(), judge) is judge
    assert for_citations(NLIBlock(), judge).name == f"{judge.name}, sentence by sentence"


def test_atlas_nli_sees_of_whom_a_value_is_said() -> None:
    document = (
        "Title: Kenya\nThe capital of Kenya is Nairobi.\nTitle: Chad\nThe capital of Chad is N'Djamena."
    )
    model = BySentence(load_nli(NLIBlock()))
    said = ["The capital of Kenya is Nairobi.", "The capital of Chad is Nairobi."]
    assert model.classes([(document, one) for one in said])[0] == "entailment"
    assert model.classes([(document, one) for one in said])[1] != "entailment"
