"""Who speaks: the models that a recipe names, each loaded once, as verbs without a run ask them.

Knows nothing of what they say, nor which role a model plays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfstudy.models.base import LanguageModel
from selfstudy.models.remote.permissions import check
from selfstudy.recipe import ModelBlock, Recipe, RemoteModel

if TYPE_CHECKING:
    from selfstudy.models.server.servers import Servers


@dataclass(frozen=True, slots=True)
class Voice:
    """A model, and the block of the recipe that tells it from another."""

    lm: LanguageModel
    block: str


class LoadedVoices:
    """The models of a recipe by their blocks."""

    def __init__(self, recipe: Recipe, servers: Servers | None = None) -> None:
        """Loads nothing yet.

        Raises:
            ModelError: the user has not allowed what a remote model of the recipe needs.
        """
        for block in recipe.language_models.values():
            if isinstance(block, RemoteModel):
                check(block)
        self._recipe = recipe
        self._servers = servers
        self._loaded: dict[str, Voice] = {}

    def of(self, block: ModelBlock) -> Voice:
        """The model of a block.

        Raises:
            ModelError: it cannot be loaded.
        """
        from selfstudy.models import load_lm

        key = block.model_dump_json()
        if key not in self._loaded:
            self._loaded[key] = Voice(load_lm(block, cache=self._recipe.cache, servers=self._servers), key)
        return self._loaded[key]
