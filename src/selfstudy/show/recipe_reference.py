"""The page of all recipe keys, out of the code: `python -m selfstudy.show.recipe_reference PAGE`.

Knows how a key is written on a page; what is said of it is in the recipe's own docstrings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from selfstudy.recipe.base import Block
from selfstudy.recipe.reference import RecipeKey, blocks, keys, places, summary_of

HEAD = """# Every key of a recipe

Written out of the code: do not edit it, but write it again with
`python -m selfstudy.show.recipe_reference docs/reference/recipe.md`.

A section is a block, with the places where it may stand (`*`: any item of a list). "Source" says who gives
the default: a paper, or a section of what we wrote down of it (methods); a measurement, with its decision; or
"ours": nobody gives it, and we chose it.
"""


def page() -> str:
    """The whole page, ending with a line break."""
    where = places()
    parts = [HEAD]
    for block in blocks():
        parts += _section(block, where[block])
    return "\n".join(parts) + "\n"


def _section(block: type[Block], where: tuple[str, ...]) -> Iterator[str]:
    yield f"## {block.__name__} {{#{block.__name__}}}\n"
    yield f"Stands at {_said(where)}.\n"
    yield f"{summary_of(block)}\n"
    for key in keys():
        if key.block is block:
            yield from _entry(key)


def _said(where: tuple[str, ...]) -> str:
    return ", ".join(f"`{one}`" if one else "the top" for one in where)


def _entry(key: RecipeKey) -> Iterator[str]:
    yield f"### `{key.name}` {{#{key.id}}}\n"
    yield f"{key.text}\n"
    yield f"- Type: {key.kind}"
    if key.bounds:
        yield f"- Bounds: {', '.join(key.bounds)}"
    if key.allowed:
        yield f"- Allowed: {', '.join(f'`{one}`' for one in key.allowed)}"
    yield f"- Default: `{key.default}`"
    yield f"- Source: {key.source}\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
