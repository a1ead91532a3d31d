"""Recipes by goal and size: each loads, and lacks nothing that its goal needs."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from selfstudy.errors import RecipeError
from selfstudy.recipe.conflicts import conflicts
from selfstudy.recipe.file import make_recipe
from selfstudy.recipe.goals import GOALS, SIZES, goal_recipe

MODELS: dict[str, dict[str, Any]] = {
    "atlas": {"path": "atlas"},
    "hub": {"path": "some/model"},
    "remote": {"type": "remote", "model": "m", "base_url": "http://127.0.0.1:1/v1"},
}


@pytest.mark.parametrize(("model", "goal"), itertools.product(MODELS, GOALS))
def test_every_goal_of_every_size_is_a_recipe(model: str, goal: str) -> None:
    for size in SIZES:
        data, why = goal_recipe(MODELS[model], "atlas", goal, size, ("-", 3))
        recipe = make_recipe(data, [])
        assert conflicts(recipe) == []
        assert why["probe.ask"]
        count = 3 if goal == "questions" else SIZES[size].questions
        assert count <= sum(ask.count for ask in recipe.probe.ask) <= count + 40


def test_without_documents_it_is_asked_what_comes_to_mind() -> None:
    data, _ = goal_recipe(MODELS["remote"], None, "measure", "look")
    recipe = make_recipe(data, [])
    assert conflicts(recipe) == []
    assert {ask.method for ask in recipe.probe.ask} == {"open", "induced"}


def test_a_real_model_is_held_to_its_pages() -> None:
    data, why = goal_recipe(MODELS["hub"], "docs", "facts", "usual")
    assert make_recipe(data, []).probe.ask[0].check == "page"
    assert "English" in why["probe.ask"]


def test_own_documents_have_no_key_of_the_embedded_world() -> None:
    data, _ = goal_recipe(MODELS["atlas"], "docs", "facts", "usual")
    assert "answer_key" not in data
    assert data["library"] == "docs"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("facts", "huge", "docs"), "is no size"),
        (("fame", "look", "docs"), "is no goal"),
        (("facts", "look", None), "needs documents"),
        (("questions", "look", "docs"), "needs a file"),
    ],
    ids=("size", "goal", "documents", "questions"),
)
def test_what_lacks_something_is_refused(given: tuple[str, str, str | None], said: str) -> None:
    goal, size, library = given
    with pytest.raises(RecipeError, match=said):
        goal_recipe(MODELS["hub"], library, goal, size)
