"""Answers that were just given become preference pairs: of each prompt the best against the worst.

    pair        rewards differ by more than the margin
    tie         they do not: its order would be chance, and no training may go by it
    identical   all answers are one text; nobody is asked what it is worth
    unscored    fewer than two answers have a reward
    failed      fewer than two answers were given

All but pairs are left out and counted.  Knows nothing of training.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from selfstudy.judging.rewards import Response, Reward, Rewarder
from selfstudy.records import Completion
from selfstudy.teach.practice import OnlinePrompt

Fate = Literal["pair", "tie", "identical", "unscored", "failed"]


@dataclass(frozen=True, slots=True)
class OnlinePair:
    """Two answers to a prompt, and by how much the reward of the chosen one is higher."""

    exercise: OnlinePrompt
    chosen: Completion
    rejected: Completion
    difference: float


@dataclass
class OnlinePairs:
    """What a batch of prompts gave.

    Attributes:
        outcomes: how many prompts ended how.
        values: of all rewards.
        problems: why answers were not given, or have no reward.
    """

    pairs: list[OnlinePair] = field(default_factory=list)
    outcomes: Counter[Fate] = field(default_factory=Counter)
    values: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def online_pairs(
    exercises: Sequence[OnlinePrompt],
    answers: Sequence[Sequence[Completion]],
    rewarder: Rewarder,
    margin: float,
    chance: random.Random | None = None,
) -> OnlinePairs:
    """Judges all distinct answers in one call, and pairs them.

    Args:
        answers: to each exercise, two or more.
        chance: of the control, which exchanges the rewards of a prompt's answers: as many ties and unscored
            ones, in an order that means nothing.
    """
    found = OnlinePairs()
    rivals: list[tuple[OnlinePrompt, list[Completion]]] = []
    for exercise, row in zip(exercises, answers, strict=True):
        given = [one for one in row if one.finish != "error"]
        found.problems += [one.error or "generation failed" for one in row if one.finish == "error"]
        distinct = list({one.text: one for one in reversed(given)}.values())[::-1]
        if len(distinct) > 1:
            rivals.append((exercise, distinct))
        else:
            found.outcomes["identical" if len(given) > 1 else "failed"] += 1
    responses = [
        Response(exercise.shown, one.text, exercise.criteria) for exercise, row in rivals for one in row
    ]
    rewards = iter(rewarder.rewards(responses) if responses else ())
    for exercise, row in rivals:
        own = [next(rewards) for _ in row]
        if chance is not None:
            chance.shuffle(own)
        _decide(found, exercise, row, own, margin)
    return found


def _decide(
    found: OnlinePairs,
    exercise: OnlinePrompt,
    row: Sequence[Completion],
    rewards: Sequence[Reward],
    margin: float,
) -> None:
    scored = [(one.value, answer) for one, answer in zip(rewards, row, strict=True) if one.value is not None]
    found.values += [value for value, _ in scored]
    found.problems += [one.problem for one in rewards if one.value is None]
    if len(scored) < 2:
        found.outcomes["unscored"] += 1
        return
    best, worst = (pick(scored, key=lambda one: one[0]) for pick in (max, min))
    if best[0] - worst[0] <= margin:
        found.outcomes["tie"] += 1
        return
    found.outcomes["pair"] += 1
    found.pairs.append(OnlinePair(exercise, best[1], worst[1], best[0] - worst[0]))
