"""Who speaks: the models of a recipe as teacher, student, judge and weaker tutor, each loaded once.

    teacher   recipe.teacher        student   recipe.model, if it is given, else the teacher's
    judge     recipe.judge          weak      named apart, else the student's

Knows nothing of what they say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfstudy.errors import RecipeError
from selfstudy.models.base import LanguageModel
from selfstudy.models.remote.permissions import check
from selfstudy.recipe import LocalModel, ModelBlock, Recipe, RemoteModel
from selfstudy.recipe.file import make_recipe

if TYPE_CHECKING:
    from selfstudy.models.server.servers import Servers


@dataclass(frozen=True, slots=True)
class Voice:
    """A model, and the block of the recipe that tells it from another."""

    lm: LanguageModel
    block: str


class Voices:
    """The models of a recipe by who speaks with them."""

    def __init__(self, recipe: Recipe, servers: Servers | None = None, weak: str | None = None) -> None:
        """`weak` is a model folder or Hub id; it runs as the student does, where that is local.

        Raises:
            RecipeError: the recipe names no teacher.
            ModelError: the user has not allowed what a remote model needs.
        """
        if recipe.teacher is None:
            raise RecipeError(
                "no model was chosen to tutor", "give --teacher MODEL (a folder, a Hub id, or atlas)"
            )
        self._recipe = recipe
        self._servers = servers
        self._teacher: ModelBlock = recipe.teacher
        self._student = recipe.model if "model" in recipe.model_fields_set else recipe.teacher
        self._weak = self._student if weak is None else _by_path(weak, self._student)
        for block in recipe.language_models.values():
            if isinstance(block, RemoteModel):
                check(block)
        self._loaded: dict[str, Voice] = {}

    @property
    def teacher(self) -> Voice:
        return self._voice(self._teacher)

    @property
    def student(self) -> Voice:
        return self._voice(self._student)

    @property
    def weak(self) -> Voice:
        return self._voice(self._weak)

    @property
    def judge(self) -> Voice | None:
        """None: the recipe names none."""
        return None if self._recipe.judge is None else self._voice(self._recipe.judge)

    def _voice(self, block: ModelBlock) -> Voice:
        from selfstudy.models import load_lm

        key = block.model_dump_json()
        if key not in self._loaded:
            self._loaded[key] = Voice(load_lm(block, cache=self._recipe.cache, servers=self._servers), key)
        return self._loaded[key]


def _by_path(path: str, like: ModelBlock) -> ModelBlock:
    """The model at `path`, on the device and in the number type of another; its revision is its own."""
    if isinstance(like, LocalModel):
        return like.model_copy(update={"path": path, "revision": None, "adapter": None})
    return make_recipe({}, [f"model.path={json.dumps(path)}"]).model
