"""Each model of a recipe is loaded once, and none before it speaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.recipe.file import make_recipe
from selfstudy.verbs.voices import LoadedVoices


def test_a_block_is_loaded_once(tmp_path: Path) -> None:
    recipe = make_recipe({}, ["model.type=scripted", f"model.path={tmp_path / 'a.yaml'}"])
    voices = LoadedVoices(recipe)
    with pytest.raises(ModelError, match="cannot be read"):
        voices.of(recipe.model)
    (tmp_path / "a.yaml").write_text("x: y\n")
    assert voices.of(recipe.model) is voices.of(recipe.model.model_copy())


def test_a_host_that_is_not_allowed_is_refused_before_anything_loads() -> None:
    remote = ["teacher.type=remote", "teacher.model=m", "teacher.base_url=http://example.org/v1"]
    with pytest.raises(ModelError, match="plain http"):
        LoadedVoices(make_recipe({}, remote))
