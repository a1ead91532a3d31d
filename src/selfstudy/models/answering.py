"""How questions are put to a language model, by the recipe's `answering` block: one place for all stages.

Knows nothing of what is asked, or why.
"""

from __future__ import annotations

from dataclasses import replace

from selfstudy.models.base import Sampling
from selfstudy.recipe import AnsweringBlock


def from_memory(block: AnsweringBlock, samples: int, seed: int) -> Sampling:
    """A greedy passage and `samples` samples, with nothing but the question in view."""
    return Sampling(
        n=samples,
        temperature=block.temperature,
        greedy_first=True,
        max_new_tokens=block.max_new_tokens,
        repetition_penalty=block.repetition_penalty,
        seed=seed,
    )


def from_document(block: AnsweringBlock, samples: int, seed: int) -> Sampling:
    """The same with the document in view: no repetition penalty, for it would punish copying."""
    known = from_memory(block, samples, seed)
    return replace(known, max_new_tokens=block.reading_tokens, repetition_penalty=1.0)
