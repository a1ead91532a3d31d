"""The block `track`: its short form, what it refuses, and that it is no part of what a run is."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RecipeError
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import changed_keys, load_recipe, recipe_digest
from selfstudy.recipe.settings import plain_settings


def test_the_name_alone_is_its_type_also_below_an_override(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("library: atlas\ntrack: wandb\n", encoding="utf-8")
    assert load_recipe(tmp_path / "r.yaml").track.type == "wandb"
    found = load_recipe(tmp_path / "r.yaml", ["track.project=tried"]).track
    assert (found.type, found.project) == ("wandb", "tried")
    assert load_recipe(tmp_path / "r.yaml", ["track=none"]).track.type == "none"


def test_it_changes_nothing_of_what_a_run_is() -> None:
    plain, tracked = Recipe(), Recipe.model_validate({"track": "mlflow"})
    assert recipe_digest(plain) == recipe_digest(tracked)
    assert not changed_keys(plain, tracked)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("tensorboard", "must be 'none', 'trackio', 'wandb' or 'mlflow'"),
        ("{type: trackio, url: 'http://127.0.0.1:1'}", "trackio writes to a folder of this machine"),
        ("{type: mlflow, url: 'https://me:word@host'}", "must hold no user, password or query"),
        ("{type: mlflow, url: 'file:///etc'}", "must begin with http:// or https://"),
        ("{type: wandb, project: ../up}", "should match pattern"),
    ],
)
def test_what_it_refuses(tmp_path: Path, value: str, told: str) -> None:
    (tmp_path / "r.yaml").write_text(f"track: {value}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as error:
        load_recipe(tmp_path / "r.yaml")
    assert told in str(error.value)


def test_plain_settings_hold_numbers_switches_and_choices_and_no_word_of_the_users() -> None:
    word = "Zanzibar"
    recipe = Recipe.model_validate(
        {
            "model": {"type": "remote", "model": word, "base_url": f"https://{word}.example/v1"},
            "library": f"/{word}/texts",
            "prompts": f"/{word}/prompts",
            "probe": {"ask": [{"method": "open", "count": 7}], "samples": 5},
            "deploy": {"type": "dynamic", "groups": {word: [f"{word}*"]}},
            "budget": {"calls": 4711},
            "track": {"type": "wandb", "project": word},
            "cluster": {"partition": word},
        }
    )
    found = plain_settings(recipe)
    assert word.lower() not in str(found).lower()
    assert "4711" not in str(found)
    assert (found["probe.ask.0.count"], found["probe.samples"], found["seed"]) == (7, 5, 0)
    assert (found["deploy.type"], found["model.type"], found["teach.method"]) == (
        "dynamic",
        "remote",
        "distill",
    )
    assert all(type(value) in (bool, int, float, str) for value in found.values())
