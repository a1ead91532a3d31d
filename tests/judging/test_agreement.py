"""Do two answers say the same? By example, with an entailment model whose verdicts are written down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.judging.agreement import agreements, numbers_kept, same_words
from selfstudy.models.base import Progress

CAPITAL = "What is the capital of Mali?"
REFERENCE = "The capital of Mali is Bamako."


class Written:
    """P(entailment) by pair; any other pair is neutral."""

    name = "written"

    def __init__(self, entails: dict[tuple[str, str], float]) -> None:
        self.entails = entails

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        p = np.array([self.entails.get(pair, 0.9) for pair in pairs])
        return np.stack([p, 1 - p], axis=1)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return [
            "neutral"
            if pair not in self.entails
            else "entailment"
            if self.entails[pair] > 0.5
            else "contradiction"
            for pair in pairs
        ]


@pytest.mark.parametrize(
    ("answer", "reference", "question", "same"),
    [
        ("I think the capital of Mali is Bamako, yes.", REFERENCE, CAPITAL, True),
        ("Bamako.", REFERENCE, CAPITAL, True),
        ("Mali", REFERENCE, CAPITAL, False),  # only echoes the question
        ("The capital of Mali", REFERENCE, CAPITAL, False),
        ("Segou", REFERENCE, CAPITAL, False),
        ("Rome", "The capitals are Paris and Rome.", "Which capitals?", False),  # a part of the answer
        ("67 million", "It has 67 million inhabitants.", "How many live in France?", True),
        ("million inhabitants", "It has 67 million inhabitants.", "How many live in France?", False),
        ("", REFERENCE, CAPITAL, False),
    ],
)
def test_words_alone(answer: str, reference: str, question: str, same: bool) -> None:
    assert same_words(answer, reference, question) is same


def test_numbers_kept() -> None:
    assert numbers_kept("About 17 million live there.", "It has 17 million people.", "How many?")
    assert not numbers_kept("About 16 million live there.", "It has 17 million people.", "How many?")
    assert numbers_kept("It was built then.", "It was built in 1990.", "What was built in 1990?")


def test_meaning_decides_where_words_do_not() -> None:
    answers = [
        "Mali is governed from Bamako.",
        "Mali is governed from Segou.",
        "Mali lies in Africa.",
        "Mali is governed from Bamako, I guess.",
        "Bamako.",
    ]
    nli = Written(
        {
            (answers[0], REFERENCE): 0.8,
            (REFERENCE, answers[0]): 0.7,
            (answers[1], REFERENCE): 0.1,
            (REFERENCE, answers[1]): 0.2,
            (answers[3], REFERENCE): 0.8,
            (REFERENCE, answers[3]): 0.4,
            (REFERENCE, answers[4]): 0.1,
        }
    )
    found = agreements([CAPITAL] * 5, answers, [REFERENCE] * 5, nli)
    assert [a.same for a in found] == [True, False, False, False, True]
    assert [a.contradiction for a in found] == pytest.approx([0.3, 0.8, 0.1, 0.6, 0.9])


def test_no_number_is_no_decision() -> None:
    nli = Written({("Segou it is.", REFERENCE): float("nan")})
    unclear, clear = agreements([CAPITAL] * 2, ["Segou it is.", "Bamako"], [REFERENCE] * 2, nli)
    assert (unclear.same, unclear.contradiction) == (None, None)
    assert clear.same is True
    assert agreements([], [], [], nli) == []


class Certain(Written):
    """All that is not written down contradicts."""

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return ["contradiction" if self.entails.get(pair, 0.9) < 0.5 else "entailment" for pair in pairs]


def test_a_contradiction_overrules_shared_words() -> None:
    more = "The capital of Mali is Bamako only in old books."
    nli = Certain({(REFERENCE, more): 0.1, (REFERENCE, REFERENCE): 0.1, (REFERENCE, "Bamako."): 0.1})
    found = agreements([CAPITAL] * 3, [more, REFERENCE, "Bamako."], [REFERENCE] * 3, nli)
    assert [a.same for a in found] == [False, True, True]  # equal words, and a part of them, are the same
    assert not found[0].by_words


@pytest.mark.parametrize(
    "answer",
    [
        "It is not true that Mali is governed from Bamako.",
        "I don't know whether Mali is governed from Bamako.",
        "Mali is governed from Bamako or Segou.",
        "Is Mali governed from Bamako?",
    ],
)
def test_what_is_not_asserted_does_not_agree_whatever_the_entailment_model_says(answer: str) -> None:
    nli = Certain({(answer, REFERENCE): 0.9, (REFERENCE, answer): 0.9})
    (found,) = agreements([CAPITAL], [answer], [REFERENCE], nli)
    assert found.same is False
