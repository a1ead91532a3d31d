"""Who speaks: the models of a recipe as teacher, student, judge and weaker tutor, each loaded once.

    teacher   recipe.teacher        student   recipe.model, if it is given, else the teacher's
    judge     recipe.judge          weak      named apart, else the student's

Knows nothing of what they say.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from selfstudy.errors import RecipeError
from selfstudy.recipe import LocalModel, ModelBlock, Recipe
from selfstudy.recipe.file import make_recipe
from selfstudy.verbs.voices import LoadedVoices, Voice

if TYPE_CHECKING:
    from selfstudy.models.server.servers import Servers


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
        self._teacher: ModelBlock = recipe.teacher
        self._student = recipe.model if "model" in recipe.model_fields_set else recipe.teacher
        self._weak = self._student if weak is None else _by_path(weak, self._student)
        self._loaded = LoadedVoices(recipe, servers)

    @property
    def teacher(self) -> Voice:
        return self._loaded.of(self._teacher)

    @property
    def student(self) -> Voice:
        return self._loaded.of(self._student)

    @property
    def weak(self) -> Voice:
        return self._loaded.of(self._weak)

    @property
    def judge(self) -> Voice | None:
        """None: the recipe names none."""
        return None if self._recipe.judge is None else self._loaded.of(self._recipe.judge)


def _by_path(path: str, like: ModelBlock) -> ModelBlock:
    """The model at `path`, on the device and in the number type of another; its revision is its own."""
    if isinstance(like, LocalModel):
        return like.model_copy(update={"path": path, "revision": None, "adapter": None})
    return make_recipe({}, [f"model.path={json.dumps(path)}"]).model
