"""Keys that change what a tracker is sent, and where: seen in the order that the sender gets."""

from __future__ import annotations

from pathlib import Path

from selfstudy.loop.tracking import order_of
from selfstudy.recipe import Recipe, TrackBlock
from selfstudy.run import Run

from . import Effect, rows

NOWHERE = Path("/nowhere")


def order(block: TrackBlock) -> object:
    return order_of(Run(NOWHERE, Recipe(track=block), None), block, "0123456789abcdef", ())


def of_recipe(recipe: Recipe) -> object:
    return None if recipe.track.type == "none" else order(recipe.track)


EFFECTS: dict[str, Effect] = {
    **rows(
        "TrackBlock", order, {"type": "mlflow"}, type="trackio", project="p", name="n", url="https://host"
    ),
    **rows("Recipe", of_recipe, {}, track="trackio"),
}
"""By `Block.key`."""
