"""The recipe's block `gather`: how evidence is found and read."""

from __future__ import annotations

from typing import Annotated, Literal

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
    """Further answers with the evidence in the prompt, to compare with; 0: none."""
    temperature: Annotated[float, Field(gt=0, le=2)] | None = 0.7
    """Of these answers; None: `answering.temperature`."""
    accept: Literal["votes", "consistency"] = "votes"
    """votes: the reference is what most of all these answers say, of those that rest on the passage's own
    words, names and numbers.  consistency: it is the greedy answer (methods 2.3), whatever it rests on."""
    votes: Positive = 2
    """votes: how many must say it."""
    max_inconsistency: Fraction = 0.5
    """consistency: most mean contradiction of the reference by the other answers."""
