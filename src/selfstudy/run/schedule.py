"""When a question is asked again: spaced by how firmly it was known (`relearn`).

A pure function of how it went at each asking; rounds are the time.  Knows nothing of records or models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfstudy.recipe import RelearnBlock

FIRM = 0.5
"""Firm is a hallucination score of at most so much of the threshold: a guess."""


@dataclass(frozen=True, slots=True)
class PastAsking:
    """How a question went in a round.

    Attributes:
        right: whether it was known; None: nobody could tell, for something failed.
        firm: whether its samples agreed by far.
    """

    round: int
    right: bool | None
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """When a question is due: `interval` rounds after `asked`."""

    question_id: str
    asked: int
    interval: int

    @property
    def due(self) -> int:
        """The first round that may ask it."""
        return self.asked + self.interval


def interval(history: Sequence[PastAsking], block: RelearnBlock) -> int:
    """Rounds from the last asking to the next, in [1, block.longest].

    Args:
        history: one or more askings, the oldest first.
    """
    rounds = 0.0
    for one in history:
        if one.right is None:
            rounds = rounds or block.first
        elif not one.right:
            rounds = block.first
        elif rounds:
            rounds = min(rounds * block.factor, block.longest)
        else:
            rounds = block.first * (block.factor if one.firm else 1)
    return max(1, min(block.longest, int(rounds + 0.5)))


def turns(histories: Mapping[str, Sequence[PastAsking]], block: RelearnBlock) -> list[Turn]:
    """When each question is due again, in their order."""
    return [Turn(name, some[-1].round, interval(some, block)) for name, some in histories.items()]


def due(waiting: Sequence[Turn], now: int, most: int) -> list[Turn]:
    """What round `now` asks again, at most `most`: what is overdue longest first, else in order."""
    return sorted((one for one in waiting if one.due <= now), key=lambda one: one.due)[:most]


def soonest(waiting: Sequence[Turn], now: int, most: int) -> list[Turn]:
    """The same; where nothing is due, what would be first."""
    first = min((one.due for one in waiting), default=now)
    return due(waiting, max(now, first), most)
