"""The recipe's block `answering`: how a question is answered, by every stage that asks one.

What is asked again must be asked as it was asked before: hence one block for probe, gather, teach and verify.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selfstudy.recipe.base import Block, Positive


class AnsweringBlock(Block):
    """How is a question answered? The same way before teaching and after it."""

    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Of samples; passages are greedy. Source: methods, terms."""
    repetition_penalty: Annotated[float, Field(ge=1, le=2)] = 1.1
    """Of answers from memory; an answer read out of a document has none, for it would punish copying.
    Source: methods, terms."""
    max_new_tokens: Positive = 64
    """Longest answer from memory."""
    reading_tokens: Positive = 64
    """Longest answer read out of a document."""
    block_size: Positive = 256
    """Questions answered and judged between two writes to disk."""
