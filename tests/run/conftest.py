"""Shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.recipe import Recipe
from selfstudy.recipe.file import load_recipe


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe(None, ["library=atlas"])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "run"
