"""Every key of a recipe is in the reference, with a docstring, a default and a source."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from selfstudy.recipe import Recipe
from selfstudy.recipe.reference import OURS, blocks, docstrings, keys, places
from selfstudy.recipe.teach import DistillBlock

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "recipe.md"
AGAIN = "python -m selfstudy.show.recipe_reference docs/reference/recipe.md"


def schema_keys() -> set[str]:
    """Every key, found another way: in pydantic's own schema."""
    parts = {"Recipe": (schema := Recipe.model_json_schema()), **schema["$defs"]}
    return {f"{name}.{key}" for name, part in parts.items() for key in part.get("properties", {})}


def test_every_key_of_the_schema_is_found() -> None:
    assert {key.id for key in keys()} == schema_keys()


def test_every_key_is_on_the_page() -> None:
    anchors = re.findall(r"\{#([A-Za-z0-9]+\.[a-z0-9_]+)\}", PAGE.read_text(encoding="utf-8"))
    assert len(anchors) == len(set(anchors))
    assert set(anchors) == schema_keys(), f"write the page again: {AGAIN}"


def test_every_key_says_what_it_is() -> None:
    bare = [key.id for key in keys() if len(key.text) < 8]
    assert not bare, "give the field a docstring where its block is written (src/selfstudy/recipe)"


def test_a_decision_that_is_named_as_a_source_is_there() -> None:
    named = {found for key in keys() for found in re.findall(r"docs/decisions/\S+\.md", key.source)}
    assert named
    assert not [one for one in named if not (ROOT / one).is_file()]


def test_types_bounds_and_defaults_are_those_of_the_field() -> None:
    by_id = {key.id: key for key in keys()}
    hits = by_id["GatherBlock.hits"]
    assert (hits.kind, hits.default, hits.bounds, hits.source) == ("whole number", "3", ("at least 1",), OURS)
    clip = by_id["GRPOBlock.clip_high"]
    assert (clip.kind, clip.default, clip.bounds) == ("number or null", "null", ("above 0",))
    assert by_id["DeployBlock.type"].allowed == ("adapter", "merged", "dynamic")
    assert by_id["ServerModel.engine"].default == "required"
    assert by_id["CitationRewardBlock.recall"].source.startswith("Huang et al. 2024")


def test_a_block_is_told_of_wherever_it_stands() -> None:
    where = places()
    assert set(where) == set(blocks())
    assert where[Recipe] == ("",)
    assert where[DistillBlock] == ("teach.distill", "teach.phases.*")
    assert all(issubclass(block, BaseModel) for block in where)


def test_a_docstring_is_that_of_its_own_field() -> None:
    assert "replay" not in docstrings(DistillBlock)
    assert docstrings(DistillBlock)["mix"].startswith("Chance of a token")
