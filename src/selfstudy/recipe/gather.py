"""The recipe's block `gather`: how evidence is found and read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selfstudy.recipe.base import Block, Fraction, Positive
from selfstudy.recipe.models import ModelBlock


class GatherBlock(Block):
    """What is the evidence?"""

    reader: ModelBlock | None = None
    """What reads references out of the evidence; None: the recipe's `teacher`, else its `model`."""
    hits: Positive = 3
    """Passages retrieved per question."""
    chunk_tokens: Positive = 512
    follow_links: bool = False
    """Follow links that leave the library's folder: whatever they lead to is read, and may be quoted."""
    hybrid: bool = False
    """Add vector search to BM25 (reciprocal rank fusion); uses the recipe's embedder."""
    samples: Annotated[int, Field(ge=0, le=100)] = 5
    """Answers with the evidence in the prompt, for the consistency filter (methods 2); 0 = no filter."""
    temperature: Annotated[float, Field(gt=0, le=2)] | None = 0.5
    """Of these answers; None: `answering.temperature`."""
    max_inconsistency: Fraction = 0.5
    grounded: bool = True
    """Refuse a reference that does not rest on the words, names and numbers of its passage."""
