"""Answers of several processes that one of them judges: who rewards need not be loaded in each.

Knows nothing of what is rewarded, nor of who trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from selfstudy.teach.cited_practice import (
    AnswerRewards,
    CitedExercise,
    CitedPractice,
    RewardedAnswer,
    RewardLevel,
)
from selfstudy.teach.practice import Practice
from selfstudy.teach.trainers.processes import Processes

T = TypeVar("T")


@dataclass(frozen=True)
class ToldRewards:
    """What is known of who rewards where it is not loaded.

    Attributes:
        told: all that rewards depend on, in words; a checkpoint goes by it.
    """

    told: str
    name: str = ""
    level: RewardLevel = "fine"


class LedRewards:
    """Fulfils `AnswerRewards`: all processes must ask at the same time, and the one that leads judges."""

    def __init__(self, of: AnswerRewards | ToldRewards, processes: Processes) -> None:
        self._of, self._processes = of, processes
        self.name, self.level = of.name, of.level

    @property
    def told(self) -> str:
        return self._of.told

    def rewards(
        self,
        exercises: Sequence[CitedExercise],
        outputs: Sequence[Sequence[str]],
        seed: int = 0,
        *,
        never_own: bool = False,
    ) -> list[list[RewardedAnswer]]:
        """Of this one's own outputs; all are judged in one call."""
        shares = self._processes.gathered((list(exercises), [list(row) for row in outputs]))
        every = [one for share, _ in shares for one in share]
        said = [row for _, share in shares for row in share]

        def judge() -> list[list[RewardedAnswer]]:
            assert not isinstance(self._of, ToldRewards)
            return self._of.rewards(every, said, seed, never_own=never_own)

        found = self._processes.led(judge)
        first = sum(len(share) for share, _ in shares[: self._processes.rank])
        return found[first : first + len(exercises)]


def without_judge(items: T) -> T:
    """What is told to the others: what they train on, and not who rewards it."""
    given: Any = items
    if isinstance(given, CitedPractice):
        rewards = given.rewards
        given = replace(given, rewards=ToldRewards(rewards.told, rewards.name, rewards.level))  # type: ignore[arg-type]
    elif isinstance(given, Practice):
        given = replace(given, rewards=ToldRewards(given.rewards.told))  # type: ignore[arg-type]
    return given  # type: ignore[no-any-return]


def by_the_leader(items: T, processes: Processes) -> T:
    """What one of them trains on: whatever is to be judged is judged by the one that leads.

    Online DPO sees to that itself, for it needs the answers of all to pair them.
    """
    given: Any = items
    if isinstance(given, CitedPractice):
        return replace(given, rewards=LedRewards(given.rewards, processes))  # type: ignore[return-value]
    return items
