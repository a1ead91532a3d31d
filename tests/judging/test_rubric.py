"""Rubrics from evidence, rewards worked by hand, replies in the shapes in which judges write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.judging.missing import Unscored
from selfstudy.judging.rubric import (
    Criterion,
    explicit,
    from_evidence,
    numbered,
    read_rating,
    read_verdicts,
)

RUBRIC = from_evidence(
    ["Tolm lies by the Ferro.", "  Tolm lies\nby the Ferro. "],
    ["Its mayor is Ann.", "Tolm lies by the Ferro."],
    ["Tolm lies by the sea.", ""],
)


def test_each_claim_is_one_criterion() -> None:
    assert (
        Criterion("States: Tolm lies by the Ferro.", "Essential"),
        Criterion("States: Its mayor is Ann.", "Important"),
        Criterion("Avoids saying: Tolm lies by the sea.", "Pitfall"),
    ) == RUBRIC
    assert numbered(RUBRIC).splitlines()[2] == "3. (Pitfall) Avoids saying: Tolm lies by the sea."


@pytest.mark.parametrize(
    ("met", "reward"),
    [
        ((True, True, True), 1.0),
        ((False, False, False), 0.0),
        ((True, False, False), 1.0 / 2.6),
        ((False, True, True), 1.6 / 2.6),
    ],
)
def test_the_explicit_reward(met: tuple[bool, ...], reward: float) -> None:
    assert explicit(RUBRIC, met) == pytest.approx(reward)


def test_a_reward_needs_criteria_and_a_verdict_on_each() -> None:
    with pytest.raises(ValueError):
        explicit((), ())
    with pytest.raises(ValueError):
        explicit(RUBRIC, (True,))


EXAMPLE = 'Example: [{"name": 1, "verdict": "yes"}, {"name": 2, "verdict": "yes"}]\nAnswer: '
TEX = r"\frac{1}{2} + " * 150
GOOD = '[{"name": 1, "reason": "it does", "verdict": "yes"}, {"name": "2.", "reason": "", "verdict": "No."}]'


@pytest.mark.parametrize(
    "reply",
    [
        GOOD,
        f"Here you are:\n```json\n{GOOD}\n```\nI hope this helps.",
        f'{{"verdicts": {GOOD}}}',
        '[{"name": 2, "verdict": false}, {"name": 1, "verdict": true}]',
        f'Example: [{{"name": 1, "verdict": "no"}}, {{"name": 2, "verdict": "yes"}}]\nAnswer: {GOOD}',
        f"[1, 2] {{broken [ {GOOD}",
        f"{TEX}{GOOD}",
        f"{EXAMPLE}{'x ' * 11_000}{GOOD}",
    ],
)
def test_verdicts_are_read(reply: str) -> None:
    assert read_verdicts(reply, 2) == (True, False)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", 'no "verdict"'),
        ("All criteria are met.", 'no "verdict"'),
        ('[{"name": 1, "reason": "yes"}]', 'no "verdict"'),
        ('[{"name": 1, "verdict": "yes"}]', "1 verdicts on 2"),
        ('[{"name": 1, "verdict": "yes"}, {"name": 1, "verdict": "no"}]', "two verdicts on criterion 1"),
        ('[{"name": 1, "verdict": "yes"}, {"name": 3, "verdict": "no"}]', "no criterion"),
        ('[{"name": "mayor", "verdict": "yes"}, {"name": 2, "verdict": "no"}]', "no criterion"),
        ('[{"name": 1, "verdict": "partly"}, {"name": 2, "verdict": "no"}]', "neither yes nor no"),
        ('[{"name": 1, "verdict": {}}, {"name": 2, "verdict": "no"}]', "neither yes nor no"),
        (GOOD[:-2], "outside of JSON"),  # cut short
        (f'{GOOD}\n[{{"name": 1, "verdict": "no"}}]', "1 verdicts on 2"),
        (f'{EXAMPLE}[{{"name": 1, "verdict": "no"}}, {{"name": 2, "verdict": "no"}},]', "no list"),
        (f'{EXAMPLE}[{{"name": 1, "verdict": "no"}}, {{"name": 2, "verdict": "partially"}}]', "neither"),
        (f'{EXAMPLE}[{{"name": 1, "verdict": "no"}}, {{"name": 2, "verd', "no list"),
        (f'{EXAMPLE}{{"name": 1, "verdict": "no"}}\n{{"name": 2, "verdict": "no"}}', "no list"),
        (f'[{{"name": 1, "reason": "it says "{EXAMPLE}"", "verdict": "no"}}]', "outside of JSON"),
    ],
)
def test_what_is_no_verdict_is_unscored(reply: str, why: str) -> None:
    found = read_verdicts(reply, 2)
    assert isinstance(found, Unscored)
    assert why in found.reason


@pytest.mark.parametrize(
    ("reply", "reward"),
    [
        ('{"rating": 10}', 1.0),
        ('It is good.\n```json\n{"reason": "complete", "rating": 1}\n```', 0.0),
        ('{"rating": "4"}', 3 / 9),
        ('Example: {"rating": 9}\n{"rating": 4}', 3 / 9),
        (f'Format: {{"rating": 9}}. {TEX} {{"rating": 4}}', 3 / 9),
        (f'<think>maybe {{"rating": 9}} {"x " * 11_000}</think>{{"rating": 4}}', 3 / 9),
    ],
)
def test_the_implicit_reward(reply: str, reward: float) -> None:
    assert read_rating(reply) == pytest.approx(reward)


@pytest.mark.parametrize(
    "reply",
    [
        *("", "8", "rating: 8", '{"rating": 11}', '{"rating": 0}', '{"rating": 7.5}', '{"rating": true}'),
        f'{{"rating": "{"1" * 5000}"}}',
        '{"reason": "The answer says {"rating": 10}, which is no merit.", "rating": 1}',
        '{"rating": 9}\nNow: {"rating": 4',
    ],
)
def test_what_is_no_rating_is_unscored(reply: str) -> None:
    assert isinstance(read_rating(reply), Unscored)


@pytest.mark.parametrize("reply", ["[" * 20_000, "{" * 20_000, '{"a":' * 4_000, "[{" * 10_000, "\x00" * 100])
def test_hostile_replies_are_unscored(reply: str) -> None:
    assert isinstance(read_verdicts(reply, 2), Unscored)
    assert isinstance(read_rating(reply), Unscored)


@given(st.text(max_size=200))
def test_any_text_is_read_or_unscored(reply: str) -> None:
    assert isinstance(read_verdicts(reply, 2), Unscored | tuple)
    assert isinstance(read_rating(reply), Unscored | float)


def test_a_judge_that_says_yes_to_everything_earns_every_answer_the_same() -> None:
    """Which is how the audit sees it: no difference between any two answers."""
    everything = "[" + ", ".join(f'{{"name": {n}, "verdict": "yes"}}' for n in (1, 2, 3)) + "]"
    met = read_verdicts(everything, 3)
    assert isinstance(met, tuple)
    assert explicit(RUBRIC, met) == 1.0
