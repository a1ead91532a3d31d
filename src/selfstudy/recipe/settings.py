"""The settings of a recipe that say nothing of anybody: numbers, switches and choices by their dotted keys.

No text of the user's own is among them: no path, address, name, topic, option or key.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from selfstudy.recipe.base import Block
from selfstudy.recipe.file import ELSEWHERE
from selfstudy.recipe.whole import Recipe


def plain_settings(recipe: Recipe) -> dict[str, bool | int | float | str]:
    """By dotted key; items of lists by their place: "probe.ask.0.count".

    What changes no result is left out.
    """
    found = _of_block(recipe)
    return {key: value for key, value in found if key.partition(".")[0] not in ELSEWHERE}


def _of_block(block: Block, prefix: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    for name, field in type(block).model_fields.items():
        value = getattr(block, name)
        several = isinstance(value, tuple | list)
        for at, item in enumerate(value if several else [value]):
            key = f"{prefix}{name}.{at}" if several else f"{prefix}{name}"
            if isinstance(item, Block):
                yield from _of_block(item, f"{key}.")
            elif isinstance(item, str):
                if item in choices(field.annotation):
                    yield key, item
            elif isinstance(item, bool | int | float):
                yield key, item


def choices(annotation: Any) -> set[Any]:
    """What an annotation lets one choose from, such as the words of a Literal inside of it."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return {one for part in get_args(annotation) for one in choices(part)}
