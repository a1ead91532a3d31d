"""The page of recipe keys is the one that the code writes today."""

from __future__ import annotations

from pathlib import Path

from selfstudy.show.recipe_reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "recipe.md"


def test_the_page_is_that_of_the_code() -> None:
    again = "python -m selfstudy.show.recipe_reference docs/reference/recipe.md"
    assert PAGE.read_text(encoding="utf-8") == page(), f"write it again: {again}"
