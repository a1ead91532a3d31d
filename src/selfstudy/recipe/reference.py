"""The keys of a recipe block by block, each with the source of its default.

A docstring may end with `Source: ...`, which says who gives the default; without it the default is ours.
Knows the blocks and what described.py says of them; no page.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace

from selfstudy.recipe.base import Block
from selfstudy.recipe.described import Described, fields
from selfstudy.recipe.schema import SOURCE, blocks_of, docstrings
from selfstudy.recipe.whole import Recipe

OURS = "ours"
"""The source of a default that nobody else gives."""
_TELLS_BLOCKS_APART = ("type", "name")


@dataclass(frozen=True, slots=True)
class RecipeKey:
    """One key of one block, wherever the block stands.

    Attributes:
        said: what is known of it, at the first place where it stands.
        name: the key within its block.
        text: its docstring without the source.
        source: who gives the default.
        paths: dotted keys of all its places.
    """

    said: Described
    name: str
    text: str
    source: str
    paths: tuple[str, ...]

    @property
    def id(self) -> str:
        """Unique among all keys, and its anchor on the page."""
        return f"{self.said.block}.{self.name}"


def recipe_keys() -> tuple[RecipeKey, ...]:
    """Every key of every block, once; blocks stand in the order in which a recipe reaches them."""
    blocks = {block.__name__: block for block in blocks_of(Recipe)}
    found: dict[str, RecipeKey] = {}
    for one in fields():
        name = one.path.rpartition(".")[2]
        key = found.get(f"{one.block}.{name}")
        if key is None:
            key = _key(blocks[one.block], name, one)
        found[key.id] = replace(key, paths=tuple(dict.fromkeys((*key.paths, one.path))))
    order = list(dict.fromkeys(key.said.block for key in found.values()))
    return tuple(sorted(found.values(), key=lambda key: order.index(key.said.block)))


def _key(block: type[Block], name: str, said: Described) -> RecipeKey:
    about = docstrings(block).get(name, "")
    text = about.partition(SOURCE)[0].strip()
    if not text and name in _TELLS_BLOCKS_APART:
        text = "Says that it is this block, and no other that may stand here."
    return RecipeKey(said, name, text, _source(block, name), ())


def _source(block: type[Block], name: str) -> str:
    """A source is of one default: where a block has another one than that from which it comes, it is ours."""
    home = next(kind for kind in _with_field(block, name))
    own = {kind: docstrings(kind).get(name, "") for kind in (home, *_with_field(home.__base__, name))}
    about = own.pop(home)
    if about in own.values():  # the docstring is of another block, with another default
        return OURS
    return " ".join(about.partition(SOURCE)[2].split()).removesuffix(".") or OURS


def _with_field(block: type | None, name: str) -> Iterator[type[Block]]:
    """The classes that write the field themselves, the nearest first."""
    for kind in block.__mro__ if block else ():
        if issubclass(kind, Block) and name in inspect.get_annotations(kind):
            yield kind
