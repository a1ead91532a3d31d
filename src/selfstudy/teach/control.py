"""The control: as many lessons, but each question has the answer of another one, so that none is right.

The one place that decides who gets whose answer.  Knows nothing of what an answer is.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def exchanged(answers: Sequence[T], seed: int) -> list[T]:
    """The answers in an order in which none stands where it stood (with at least two): one random cycle."""
    order = list(range(len(answers)))
    random.Random(f"{seed}:control").shuffle(order)
    donor = dict(zip(order, order[1:] + order[:1], strict=True))
    return [answers[donor[i]] for i in range(len(answers))]
