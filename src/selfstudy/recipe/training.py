"""What blocks of training share: the adapter, the learning rate, passes over data."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from pydantic import Field

from selfstudy.recipe.base import Block, Fraction, Positive


class LoraBlock(Block):
    """The adapter that every phase trains (methods 1), unless all weights are trained."""

    r: Positive = 16
    """Rank of the adapter. Source: measured: docs/decisions/0011-teaching-real-models.md."""
    alpha: Positive = 32
    """Scale: what the adapter adds is multiplied by alpha / r."""
    dropout: Fraction = 0.0
    """Of the adapter's input while it is trained."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """all-linear: all linear layers but the vocabulary's; experts that are one fused tensor are left out.
    Source: methods 2 and 4."""


LORA_TO_FULL_RATE = 10
"""LoRA wants so many times the learning rate of full fine-tuning (methods 2.6)."""


class TrainingBlock(Block):
    """What every phase has."""

    LORA_RATE: ClassVar[float]
    """The vetted rate for an adapter; for all weights it is a tenth (`LORA_TO_FULL_RATE`)."""

    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """null: of an adapter 2e-4 (sft, socratic, rejection), 3e-4 (distill, ppo, grpo), 3e-5 (dpo) or 5e-6
    (online-dpo); of all weights a tenth of it.
    Source: methods 1, 2, 3 and 5, methods-more H; distill: docs/decisions/0011-teaching-real-models.md."""
    warmup: Fraction = 0.1
    """Share of the steps in which the rate rises; after it falls as a cosine. Source: methods 1 (DPO)."""

    def rate(self, *, full: bool = False) -> float:
        """The learning rate, resolved.

        Args:
            full: of all weights, not of an adapter.
        """
        if self.learning_rate is not None:
            return self.learning_rate
        return self.LORA_RATE / LORA_TO_FULL_RATE if full else self.LORA_RATE


class EpochsBlock(TrainingBlock):
    """What phases share that pass over data which is there before they begin."""

    STEPS: ClassVar[int] = 300
    """Optimizer steps that small data is repeated for (methods 2.6: 300 steps of batch 32)."""
    EPOCHS: ClassVar[tuple[int, int]] = (2, 10)
    """Fewest passes (methods 2.6), and most, however little data there is."""

    epochs: Annotated[float, Field(gt=0)] | None = None
    """Passes over the data; null: enough for 300 optimizer steps, but 2 at least and 10 at most.
    Source: methods 2."""
    batch_size: Positive = 32
    """Examples or pairs per optimizer step, exactly. Source: methods 1 and 2 (DPO)."""

    def passes(self, items: int) -> float:
        """The epochs over so many examples or pairs, resolved."""
        if self.epochs is not None:
            return self.epochs
        fewest, most = self.EPOCHS
        return min(max(math.ceil(self.STEPS / math.ceil(items / self.batch_size)), fewest), most)


class AnswersBlock(EpochsBlock):
    """What phases share that train on answers."""

    LORA_RATE: ClassVar[float] = 2e-4
