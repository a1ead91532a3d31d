"""Questions without one right answer: their names in rows, their sample, and what a model says to them.

Cut down by a seeded sample, in a seeded order, so that its beginning is a sample too.  It knows nothing of
what is measured.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from selfstudy.models.base import HasContext, LanguageModel, Progress, Sampling, chat
from selfstudy.records import Completion

T = TypeVar("T")

QUESTION = ("prompt", "question", "instruction", "input")
"""Names of the field that holds what is asked; the first that a row has counts."""
MOST_TOKENS = 512
"""Of an answer; FActScore's answers have about as many (memory)."""


def sampled(questions: Sequence[T], most: int | None, seed: int) -> list[T]:
    """At most so many, drawn and ordered by the seed."""
    return random.Random(seed).sample(list(questions), min(len(questions), most or len(questions)))


def answers(
    lm: LanguageModel, questions: Sequence[str], progress: Progress | None = None
) -> list[Completion]:
    """The greedy answer to each question, asked as it stands, without instructions of ours."""
    context = lm.context if isinstance(lm, HasContext) else None
    limit = MOST_TOKENS if context is None else max(1, min(MOST_TOKENS, context // 2))
    sampling = Sampling(n=1, temperature=0.0, max_new_tokens=limit)
    return [one for (one,) in lm.generate([chat(question) for question in questions], sampling, progress)]
