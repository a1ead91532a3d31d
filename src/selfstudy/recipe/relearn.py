"""The recipe's block `relearn`: what was known or taught is asked again in later rounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selfstudy.recipe.base import Block, Positive


class RelearnBlock(Block):
    """Asks again, in later rounds, what was known or taught: what slipped is taught again.

    A question is asked again after `first` rounds, one that was firm after `factor` times as many.  Each time
    it is still right the interval grows by `factor`; what slipped begins anew.  A question whose passage the
    library has no more is asked at once, beyond `most`; those that are kept apart to test what is forgotten
    are asked by verify, and here only once their passage has changed (run/relearning.py).
    """

    first: Positive = 1
    """Rounds until a question that was shaky, or has just been taught, is asked again."""
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    """By how much the rounds between two askings grow."""
    longest: Positive = 16
    """Most rounds between two askings."""
    most: Positive = 1000
    """Questions that are asked again in a round; what is overdue longest comes first."""
