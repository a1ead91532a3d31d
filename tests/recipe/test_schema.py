"""The schema of recipes takes what load_recipe takes, and says what the docstrings say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from selfstudy.recipe import Recipe, ScriptedModel
from selfstudy.recipe.file import make_recipe
from selfstudy.recipe.schema import blocks_of, docstrings, recipe_schema

ROOT = Path(__file__).parents[2]
SCHEMA = recipe_schema()
CHECKER = Draft202012Validator(SCHEMA)
PUBLISHED = sorted({*ROOT.glob("examples/**/*.yaml"), *ROOT.glob("src/selfstudy/atlas/*.yaml")})


def test_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.stem)
def test_takes_published_recipes(file: Path) -> None:
    assert [error.message for error in CHECKER.iter_errors(yaml.safe_load(file.read_text()))] == []


@pytest.mark.parametrize(
    "data",
    [
        {"nli": "none"},
        {"nli": {"path": "some/nli"}},
        {"deploy": "dynamic"},
        {"track": "wandb"},
        {"gather": {"max_age": 30}},
        {"library": "docs"},
        {"library": ["docs", "https://example.org/page", {"type": "wikipedia"}]},
        {"library": {"type": "wikipedia", "titles": ["Fiji"]}},
        {"model": {"path": "gpt2"}},
        {"model": {"type": "remote", "model": "m"}},
        {"teach": {"sft": {"epochs": 3}}},
        {"teach": {"phases": [{"type": "sft"}, {"type": "dpo", "beta": 0.2}]}},
        {"probe": {"ask": [{"method": "documents", "count": 3}], "threshold": 0.5}},
    ],
    ids=str,
)
def test_takes_short_forms(data: dict[str, Any]) -> None:
    assert CHECKER.is_valid(data)
    make_recipe(data, ())


@pytest.mark.parametrize(
    "data",
    [
        {"unknown": 1},
        {"probe": {"samples": 101}},
        {"probe": {"sampels": 3}},
        {"model": {"type": "remote"}},
        {"model": {"type": "nothing", "path": "x"}},
        {"teach": {"phases": [{"epochs": 3}]}},
        {"deploy": "somehow"},
        {"library": []},
        {"seed": -1},
    ],
    ids=str,
)
def test_refuses_what_loading_refuses(data: dict[str, Any]) -> None:
    assert not CHECKER.is_valid(data)
    with pytest.raises(Exception, match="problem"):
        make_recipe(data, ())


def test_says_what_the_docstrings_say() -> None:
    assert "concurrency" in SCHEMA["$defs"]["RemoteModel"]["properties"]
    said = SCHEMA["$defs"]["RemoteModel"]["properties"]["read_timeout"]["description"]
    assert said == "Longest silence of the server, in seconds; without streaming that is a whole answer."
    assert SCHEMA["properties"]["min_gain"]["description"].startswith("Stop after a round")


def test_docstrings_are_inherited() -> None:
    block = next(block for block in blocks_of(Recipe) if block.__name__ == "SFTBlock")
    assert docstrings(block)["batch_size"].startswith("Examples or pairs per optimizer step, exactly.")


def test_finds_every_block() -> None:
    found = list(blocks_of(Recipe))
    assert len(found) == len(set(found)) == len(SCHEMA["$defs"]) + 1
    assert ScriptedModel in found
