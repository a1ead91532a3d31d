"""Which smaller strength is chosen: by what was rehearsed alone, on curves worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest

from selfstudy.models.base import chat
from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Completion, Example, KnownFact, Message
from selfstudy.run import Round
from selfstudy.run.split import general_tests, split_of
from selfstudy.verify.questions import plan
from selfstudy.verify.strengths import AnswerTokens, Chosen, Item, choose, rehearsed_items, taught_items

from .towns import EVERYTHING, GAPS, KNOWN, town

STRENGTHS = (0.25, 0.75, 0.5)
GAP: list[Item] = [(chat("Who?"), "Mia")]
KEPT: list[Item] = [(chat("What?"), "Oslo"), (chat("Where?"), "Here")]


def curve(taught: Callable[[float], float], *kept: Callable[[float], float]) -> list[float]:
    """What is asked of the model: at every strength, in this order, the probability of each answer."""
    made = []

    def score(strength: float, items: Sequence[Item]) -> AnswerTokens:
        made.append(strength)
        assert list(items) == [*GAP, *KEPT[: len(kept)]]
        return [[math.log(one(strength))] for one in (taught, *kept)]

    score.made = made  # type: ignore[attr-defined]
    return score  # type: ignore[return-value]


def chosen(remain: float, *kept: Callable[[float], float]) -> Chosen:
    score = curve(lambda s: 0.1 + 0.8 * s, *kept)
    found = choose(STRENGTHS, remain, GAP, KEPT[: len(kept)], score)  # type: ignore[arg-type]
    measured = [1.0, *(one for one in sorted(STRENGTHS, reverse=True) if one >= found.strength)]
    assert score.made == [0.0, *measured]  # type: ignore[attr-defined]
    assert [point.strength for point in found.curve] == [*measured, 0.0]
    return found


@pytest.mark.parametrize(
    ("remain", "strength"), [(1.0, 0.75), (0.57, 0.75), (0.55, 0.5), (0.26, 0.5), (0.24, 0.25), (0.01, 0.25)]
)
def test_the_largest_strength_with_little_enough_of_the_loss(remain: float, strength: float) -> None:
    """The loss is .8 s^2, of which .5625 is left at .75, .25 at .5 and .0625 at .25; else the smallest."""
    found = chosen(remain, lambda s: 0.9 - 0.8 * s * s)
    assert found.strength == strength
    lost, taught = [0.8, 0.45, 0.2, 0.05, 0.0], [0.9, 0.7, 0.5, 0.3, 0.1]
    last = len(found.curve) - 1
    assert [point.lost for point in found.curve] == pytest.approx([*lost[:last], 0.0])
    assert [point.taught for point in found.curve] == pytest.approx([*taught[:last], 0.1])
    assert Chosen.model_validate_json(found.model_dump_json()) == found


def test_what_is_won_elsewhere_hides_no_loss() -> None:
    found = chosen(0.3, lambda s: 0.9 - 0.8 * s * s, lambda s: 0.1 + 0.8 * s)
    assert found.strength == 0.5
    assert found.curve[0].lost == pytest.approx(0.4)
    assert found.curve[0].rehearsed == found.curve[-1].rehearsed == pytest.approx(0.5)


def test_gaps_choose_nothing() -> None:
    """Verify asks them, also in wordings that were trained."""
    kept = lambda s: 0.9 - 0.8 * s * s  # noqa: E731
    for taught in (lambda s: 0.9, lambda s: 0.1 + 0.8 * s**8):
        score = curve(taught, kept)
        assert choose(STRENGTHS, 0.3, GAP, KEPT[:1], score).strength == 0.5  # type: ignore[arg-type]


@pytest.mark.parametrize(("remain", "strength"), [(0.6, 0.75), (0.5, 0.5), (0.2, 0.25)])
def test_where_nothing_rehearsed_was_lost_the_square_stands_for_it(remain: float, strength: float) -> None:
    assert chosen(remain, lambda s: 0.5 + 0.4 * s).strength == strength
    assert choose(STRENGTHS, remain, [], [], lambda s, items: []).strength == strength


def test_what_cannot_be_scored_is_left_out() -> None:
    def score(strength: float, items: Sequence[Item]) -> AnswerTokens:
        return [[], [math.log(0.9 - 0.8 * strength**2)], [math.nan] if strength == 1 else [-0.1]]

    found = choose(STRENGTHS, 0.3, GAP, KEPT, score)
    assert found.strength == 0.5
    assert found.curve[0].taught is None
    assert (found.taught, found.rehearsed) == (1, 2)


def test_nothing_that_verify_asks_is_among_what_chooses(round_: Round) -> None:
    for i in EVERYTHING:
        said = Completion(text=f"The mayor of Town{i} is Mayor{i}.")
        round_.append([Answer(question_id=town(i, "known")[0].id, passage=said, samples=())])
    facts = [
        KnownFact(question=f"Is {n} even?", answers=("no",), said="No.", correct=True) for n in range(30)
    ]
    round_.append(facts)
    page, shown = chat("Read this page."), (Message(role="user", content="Hello"),)
    round_.append(
        [
            Example(prompt=page, completion="Ann", question_id="q", kind="swapped"),
            Example(prompt=shown, completion="Hi", question_id="", kind="neutral"),
            Example(prompt=chat("A gap?"), completion="Bob", question_id="q", kind="reference"),
        ]
    )
    prompts = Prompts()
    found = rehearsed_items(round_, prompts)
    contents = {prompt[-1].content for prompt, _ in found}
    items = plan(round_, Prompts(), None)
    asked = {prompts.chat("answer", question=item.asked)[-1].content for item in items}
    assert not contents & asked
    assert len(found) == len(contents)
    assert {page[-1].content, "Hello"} <= contents
    trained = KNOWN - len(split_of(round_).tested) + 30 - len(general_tests(round_.run))
    assert len(contents) == trained + 2 > GAPS
    assert taught_items(round_) == [(chat("A gap?"), "Bob")]
