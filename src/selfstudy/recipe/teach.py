"""The recipe's block `teach`: what is trained, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from selfstudy.recipe.base import Block, Count, Fraction, Positive


class LoraBlock(Block):
    r: Positive = 64
    alpha: Positive = 128
    dropout: Fraction = 0.05
    target_modules: str | tuple[str, ...] = "all-linear"


class SFTBlock(Block):
    """Supervised training on references, with and without evidence in the prompt, plus replay."""

    epochs: Annotated[float, Field(gt=0)] = 2
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    batch_size: Positive = 32
    warmup: Fraction = 0.1
    replay: Annotated[float, Field(ge=0)] = 1.0
    """Replay examples per gap example, drawn from known questions."""
    reading: Fraction = 0.25
    """Share of gap examples repeated with the evidence in the prompt."""


class DPOBlock(Block):
    beta: Annotated[float, Field(gt=0)] = 0.1
    epochs: Annotated[float, Field(gt=0)] = 3
    learning_rate: Annotated[float, Field(gt=0)] = 3e-5
    batch_size: Positive = 32
    warmup: Fraction = 0.1


class TeachBlock(Block):
    """Put it into the weights."""

    method: Literal["sft", "sft+dpo", "dpo"] = "sft"
    wordings: Count = 2
    """Rewordings of each gap question to train on, beside the original."""
    heldout_wordings: Count = 1
    """Rewordings of each gap question kept for verify."""
    reword_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    known_heldout: Fraction = 0.5
    """Share of known questions that is kept for verify and never replayed."""
    split_by: Literal["question", "topic"] = "question"
    """What is kept as a whole: single questions, or all known questions of a topic (methods 2).

    Known questions only: gaps are all taught, also those of a topic whose known questions are held out.
    """
    refuse_unverifiable: bool = False
    """Add pairs that teach "I don't know" for gaps without evidence."""
    misbelief_weight: Annotated[float, Field(ge=1)] = 2.0
    lora: LoraBlock = LoraBlock()
    sft: SFTBlock = SFTBlock()
    dpo: DPOBlock = DPOBlock()
