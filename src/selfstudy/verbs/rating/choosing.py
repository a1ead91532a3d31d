"""Preference pairs out of rewards: the best answer of a prompt against its worst, beyond a margin.

Ties, unscored and identical answers teach nothing: they are dropped and counted.  (A trainer that takes the
first of two for the better one where they are equal trains on their order: methods-more H.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from selfstudy.judging.rewards import Reward
from selfstudy.records import Chat
from selfstudy.verbs.rating.given import PromptAnswers

Dropped = Literal["one answer", "identical", "unscored", "tie", "within the margin"]
DROPPED: tuple[Dropped, ...] = ("one answer", "identical", "unscored", "tie", "within the margin")
ALIKE = 1e-9
"""Rewards that differ by no more are equal: sums of the same numbers in another order."""


@dataclass(frozen=True, slots=True)
class RatedPair:
    """A pair, and what its two answers earned."""

    prompt: PromptAnswers
    chosen: str
    rejected: str
    chosen_reward: Reward
    rejected_reward: Reward

    @property
    def chat(self) -> Chat:
        """What was asked."""
        return self.prompt.chat


def choose(prompt: PromptAnswers, rewards: Sequence[Reward], margin: float) -> RatedPair | Dropped:
    """The pair of a prompt, or why there is none.

    Args:
        rewards: of its answers, in order.
        margin: the best must earn more than the worst by more than this.
    """
    if len(prompt.answers) < 2:
        return "identical" if prompt.repeats else "one answer"
    scored = [
        (one.value, answer.text, one)
        for answer, one in zip(prompt.answers, rewards, strict=True)
        if one.value is not None
    ]
    if len(scored) < 2:
        return "unscored"
    best, chosen, good = max(scored, key=lambda one: one[0])
    worst, rejected, bad = min(scored, key=lambda one: one[0])
    if best - worst <= ALIKE:
        return "tie"
    if best - worst <= margin + ALIKE:
        return "within the margin"
    return RatedPair(prompt, chosen, rejected, good, bad)
