"""The page of all recipe keys, out of the code: `python -m selfstudy.show.recipe_reference PAGE`.

Knows how a key is written on a page; what is said of it is in the recipe's own docstrings.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.recipe.reference import RecipeKey, recipe_keys
from selfstudy.recipe.schema import blocks_of

HEAD = """# Every key of a recipe

Written out of the code: do not edit it, but write it again with
`python -m selfstudy.show.recipe_reference docs/reference/recipe.md`.

A section is a block, with the places where it may stand (`[]`: any item of a list). "Source" says who gives
the default: a paper, or a section of what we wrote down of it (methods); a measurement, with its decision; or
"ours": nobody gives it, and we chose it.
"""


def page() -> str:
    """The whole page, ending with a line break."""
    about = {block.__name__: inspect.cleandoc(block.__doc__ or "") for block in blocks_of(Recipe)}
    parts = [HEAD]
    for block, keys in groupby(recipe_keys(), key=lambda key: key.said.block):
        own = list(keys)
        parts.append(f"## {block} {{#{block}}}\n")
        parts.append(f"Stands at {', '.join(_places(own[0]))}.\n\n{about[block]}\n")
        for key in own:
            parts += _entry(key)
    return "\n".join(parts)


def _places(key: RecipeKey) -> Iterator[str]:
    for path in key.paths:
        above = path.rpartition(".")[0]
        yield f"`{above}`" if above else "the top"


def _entry(key: RecipeKey) -> Iterator[str]:
    said = key.said
    yield f"### `{key.name}` {{#{key.id}}}\n\n{key.text}\n"
    yield f"- Type: {said.types}"
    if said.bounds:
        yield f"- Bounds: {said.bounds}"
    yield f"- Default: `{said.default}`"
    yield f"- Source: {key.source}\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
