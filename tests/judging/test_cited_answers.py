"""Answers to items, judged together: each has its own statements and labels."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from selfstudy.judging.cited_answers import judged_items
from selfstudy.judging.cited_items import CitedItem

from .test_citations import Entails

DOCUMENTS = ("Rome is old.", "Rome is big.")
OLD = CitedItem("How old?", DOCUMENTS, "eli5", claims=("Rome is old", "Rome is new"))
PLAIN = CitedItem("How is it?", DOCUMENTS, "plain")
LISTED = CitedItem("What is old?", ("What is old? Rome",), "qampari", gold=(("Rome",),))
BIG = CitedItem("How big?", DOCUMENTS, "eli5", claims=("Rome is big",))


def reads(premise: str, hypothesis: str) -> bool:
    return hypothesis.rstrip(".") in premise


def test_each_answer_has_what_is_its_own() -> None:
    lines = ["Rome is old [1].", "Rome is big [1].", "Rome [1], Oslo [1]", "Rome is big [2]."]
    found = judged_items([OLD, PLAIN, LISTED, BIG], lines, Entails(reads))
    assert [(one.recall, labels) for one, labels in found] == [
        (1.0, ["entailment", "neutral"]),
        (0.0, []),
        (0.5, []),
        (1.0, ["entailment"]),
    ]


def test_all_are_asked_together() -> None:
    model = Entails(reads)
    judged_items([OLD, BIG] * 3, ["Rome is old [1][2]."] * 6, model)
    assert len(model.asked[0]) == 6
    assert model.asked[-1] == [("Rome is old.", claim) for claim in (*OLD.claims, *BIG.claims)] * 3
    assert judged_items([], [], model) == []


@pytest.mark.parametrize("unknown", ["Rome is old.", "Rome is new"])
def test_no_number_is_an_error_of_its_answer_alone(unknown: str) -> None:
    class Broken(Entails):
        def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
            labels = super().classes(pairs)
            return ["" if pair[1] == unknown else one for one, pair in zip(labels, pairs, strict=True)]

    lines = ["Rome is old [1].", "Rome is big [2]."]
    (bad, _), (good, _) = judged_items([OLD, BIG], lines, Broken(reads))
    assert bad.error is not None
    assert "no number" in bad.error
    assert not bad.statements
    assert good.error is None
    assert good.recall == 1
