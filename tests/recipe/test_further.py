"""Keys that stand in a new recipe as comments: each can be un-commented, alone or with all others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from selfstudy.recipe.commented import commented_yaml
from selfstudy.recipe.conflicts import conflicts
from selfstudy.recipe.described import fields
from selfstudy.recipe.file import make_recipe, recipe_digest
from selfstudy.recipe.further import USEFUL, further_keys
from selfstudy.recipe.goals import goal_recipe
from selfstudy.recipe.schema import recipe_schema

CHECKER = Draft202012Validator(recipe_schema())
REMOTE = {"type": "remote", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "atlas": ({"path": "atlas"}, "facts"),
    "hub": ({"path": "some/model"}, "facts"),
    "cite": ({"path": "some/model"}, "cite"),
    "remote": (REMOTE, "measure"),
}
KEY = re.compile(r"^ *#(?! \S)(?=\S|  )")
"""A commented-out key, and a line within a commented-out block; prose has one space behind its #."""


def written(case: str) -> tuple[str, dict[str, Any]]:
    model, goal = CASES[case]
    data, why = goal_recipe(model, "atlas", goal, "look")
    return commented_yaml(data, why, further_keys(make_recipe(deepcopy(data), []), data)), data


def on(line: str) -> str:
    return line.replace("#", "", 1) if KEY.match(line) else line


def one_by_one(text: str) -> Iterator[str]:
    """The text with one key more each time; one in a block that is off with the lines that open it."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not KEY.match(line) or on(line).lstrip().startswith("#") or line.endswith(":"):
            continue
        opened = {number}
        depth = len(on(line)) - len(on(line).lstrip())
        for above in range(number - 1, -1, -1):
            indent = len(on(lines[above])) - len(on(lines[above]).lstrip())
            if lines[above] and not on(lines[above]).lstrip().startswith("#") and indent < depth:
                opened.add(above)
                depth = indent
        yield "\n".join(on(one) if at in opened else one for at, one in enumerate(lines)) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_set_changes_nothing_when_it_is_set_to_its_default(case: str) -> None:
    text, data = written(case)
    assert yaml.safe_load(text) == data
    digest = recipe_digest(make_recipe(deepcopy(data), []))
    changed = list(one_by_one(text))
    assert len(changed) > 40
    for other in changed:
        more = yaml.safe_load(other)
        assert more != data
        assert recipe_digest(make_recipe(more, [])) == digest


@pytest.mark.parametrize("case", CASES)
def test_all_of_it_can_be_set_and_an_editor_agrees(case: str) -> None:
    text, data = written(case)
    whole = yaml.safe_load("\n".join(map(on, text.splitlines())))
    assert [error.message for error in CHECKER.iter_errors(whole)] == []
    assert [error.message for error in CHECKER.iter_errors(data)] == []
    recipe = make_recipe(whole, [])
    assert conflicts(recipe) == []
    assert recipe_digest(recipe) == recipe_digest(make_recipe(data, []))


def test_every_useful_key_is_one() -> None:
    assert set(USEFUL) <= {one.path for one in fields()}


def test_keys_say_what_they_are_without_their_source() -> None:
    text, _ = written("hub")
    assert "# Passages retrieved per question.\n" in text
    assert "Source:" not in text


def test_keys_of_other_models_are_left_out() -> None:
    assert "api_key_env" not in written("hub")[0]
    assert "token_budget" not in written("remote")[0]
