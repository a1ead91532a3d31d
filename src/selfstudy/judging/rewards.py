"""What is an answer worth?  One interface for all that rewards answers: raters of pairs and online training.

A reward keeps the sentence that explains it.  What could not be judged has no value, and is never zero.
Knows nothing of who judges (missing.py and rubric.py read what a judge says), of pairs, or of training.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from selfstudy.judging.rubric import Criterion
from selfstudy.models.base import Progress
from selfstudy.records import digest

JUDGE_FAILED = "the judge failed"
"""What the problem of a reward begins with where nobody judged; else the judgement could not be read."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer to a prompt, and what it is held to where a reward needs a rubric."""

    prompt: str
    text: str
    criteria: tuple[Criterion, ...] = ()


@dataclass(frozen=True, slots=True)
class Reward:
    """What an answer is worth, higher being better.

    Attributes:
        value: None: unscored.
        why: the sentence that explains it: what is missing, or the criteria that are not met.
        problem: why it is unscored; "" if it is not.
    """

    value: float | None
    why: str = ""
    problem: str = ""


class Rewarder(Protocol):
    """Values answers.

    Attributes:
        name: what it is called in reports.
    """

    name: str

    def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
        """A reward for each answer, in order; distinct ones are judged once."""
        ...


class RandomRewards:
    """The control: a number in [0, 1) that depends on the texts and the seed alone."""

    name = "random"

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
        found = [
            Reward(random.Random(digest("random reward", str(self._seed), one.prompt, one.text)).random())
            for one in responses
        ]
        if progress is not None:
            progress(len(found))
        return found
