"""A recipe as YAML with comments: why a value was chosen, and what its key is.

Knows plain data and the docstrings of the blocks; nothing of machines or models.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from selfstudy.recipe.schema import docstrings
from selfstudy.recipe.whole import Recipe
from selfstudy.text import clean

_WIDTH = 100


def commented_yaml(data: Mapping[str, Any], why: Mapping[str, str] | None = None) -> str:
    """The text of a recipe file, that reads back as `data`.

    Args:
        data: plain data of a recipe, only what was chosen; nested blocks as mappings.
        why: reasons, by dotted key ("model.dtype"); they stand above the key.
    """
    return "\n".join(_lines(data, why or {}, "")) + "\n"


def _lines(data: Mapping[str, Any], why: Mapping[str, str], prefix: str) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for name, value in data.items():
        key = prefix + name
        about = why.get(key) or ("" if prefix else docstrings(Recipe).get(name, ""))
        for line in textwrap.wrap(clean(about), _WIDTH - len(indent)):
            yield f"{indent}# {line}"
        if isinstance(value, Mapping) and value:
            yield f"{indent}{_flow(name)}:"
            yield from _lines(value, why, f"{key}.")
        else:
            yield f"{indent}{_flow(name)}: {_flow(value)}"


def _flow(value: Any) -> str:
    """A value on one line, quoted where YAML would read it otherwise."""
    made = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"))
    return made.removesuffix("\n").removesuffix("\n...")
