"""The recipe's block `deploy`: how what was taught answers (docs/deploying.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from selfstudy.recipe.base import Block, Fraction, Positive
from selfstudy.recipe.models import EmbedderBlock


class RouterBlock(Block):
    """Which adapter answers a prompt, or none: by the questions that each was taught (methods-more I)."""

    method: Literal["nearest", "centroid", "classifier"] = "nearest"
    """By the most similar taught questions, by the mean of each adapter's, or by the published classifier."""
    neighbours: Positive = 1
    """Of an adapter, whose mean similarity counts, for `nearest`."""
    false_activation: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """Most share of held-out known and unrelated questions that any adapter may answer."""
    calibration: Fraction = 0.5
    """Share of the known questions that may be replayed which calibrate, instead of standing for the base."""
    embedder: EmbedderBlock | None = None
    """What says how similar questions are; null: the recipe's `embedder`."""


class DeployBlock(Block):
    """How what was taught answers."""

    type: Literal["adapter", "merged", "dynamic"] = "adapter"
    """adapter: beside the model, on every prompt.  merged: in its weights, in float32, promoted as a whole.
    dynamic: adapters that are never merged nor trained on each other, of which a router picks one by prompt,
    or none (methods 1)."""
    groups: Literal["source", "round"] | dict[str, tuple[str, ...]] = "source"
    """For dynamic, what shares an adapter: sources of one folder or host, all of a round, or names with
    patterns of sources (as gather.exclude has them); what fits none is a group `other`."""
    router: RouterBlock = RouterBlock()
    """For dynamic: how an adapter is picked."""

    @model_validator(mode="before")
    @classmethod
    def _type_alone(cls, data: Any) -> Any:
        """`deploy: dynamic` is short for `deploy: {type: dynamic}`."""
        return {"type": data} if isinstance(data, str) else data
