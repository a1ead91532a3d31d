from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from selfstudy.judging.rewards import Response, Reward
from selfstudy.judging.rubric import Criterion
from selfstudy.models.base import Progress, chat
from selfstudy.records import Completion
from selfstudy.teach.online_pairs import online_pairs
from selfstudy.teach.practice import OnlinePrompt

HELD = (Criterion("States: so.", "Essential"),)
ASKED = OnlinePrompt(chat("Why?"), "Why, by the page?", "q", HELD)
FAILED = Completion(text="", finish="error", error="out of memory")


class Length:
    """Worth its number of words; "?" is unscored."""

    name = "length"

    def __init__(self) -> None:
        self.asked: list[Response] = []

    def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
        self.asked += responses
        return [
            Reward(None, problem="cannot say") if "?" in one.text else Reward(float(len(one.text.split())))
            for one in responses
        ]


def said(*texts: str) -> list[Completion]:
    return [FAILED if text == "!" else Completion(text=text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "margin", "outcome", "pair"),
    [
        (("a b", "a"), 0.0, "pair", ("a b", "a")),
        (("a", "a b c", "a b"), 0.0, "pair", ("a b c", "a")),
        (("a", "b", "a b", "c d"), 0.0, "pair", ("a b", "a")),
        (("a b", "a"), 1.0, "tie", None),
        (("a", "b"), 0.0, "tie", None),
        (("a", "a"), 0.0, "identical", None),
        (("a ?", "a"), 0.0, "unscored", None),
        (("a ?", "a", "a b"), 0.0, "pair", ("a b", "a")),
        (("!", "a"), 0.0, "failed", None),
        (("!", "a", "a b"), 0.0, "pair", ("a b", "a")),
        (("!", "!"), 0.0, "failed", None),
    ],
)
def test_the_best_against_the_worst(
    texts: tuple[str, ...], margin: float, outcome: str, pair: tuple[str, str] | None
) -> None:
    found = online_pairs([ASKED], [said(*texts)], Length(), margin)
    assert dict(found.outcomes) == {outcome: 1}
    assert [(one.chosen.text, one.rejected.text) for one in found.pairs] == ([] if pair is None else [pair])
    assert ("out of memory" in found.problems) == ("!" in texts)
    assert ("cannot say" in found.problems) == any("?" in text for text in texts)


def test_all_are_judged_in_one_call_and_copies_are_not() -> None:
    judge = Length()
    rows = [said("a", "a"), said("a", "a b"), said("c d e", "c")]
    found = online_pairs([ASKED] * 3, rows, judge, 0.0)
    assert [(one.prompt, one.text) for one in judge.asked] == [
        ("Why, by the page?", text) for text in ("a", "a b", "c d e", "c")
    ]
    assert [one.difference for one in found.pairs] == [1.0, 2.0]
    assert found.values == [1.0, 2.0, 3.0, 1.0]
    assert dict(found.outcomes) == {"identical": 1, "pair": 2}


def test_the_control_has_the_same_ties_and_an_order_that_means_nothing() -> None:
    rows = [said("a", "a b"), said("c d", "e f"), said("g", "?")] * 40
    plain = online_pairs([ASKED] * 120, rows, Length(), 0.0)
    control = online_pairs([ASKED] * 120, rows, Length(), 0.0, random.Random(0))
    assert control.outcomes == plain.outcomes == {"pair": 40, "tie": 40, "unscored": 40}
    longer = sum(len(one.chosen.text) > len(one.rejected.text) for one in control.pairs)
    assert 10 < longer < 30
    assert all(len(one.chosen.text) > len(one.rejected.text) for one in plain.pairs)
