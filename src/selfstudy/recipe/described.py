"""Every key of a recipe in words: its type, default and bounds, and what its docstring says.

For the reference of keys, for completion and for comments in recipes. Knows the schema alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from selfstudy.recipe.schema import recipe_schema

REQUIRED = "(must be given)"
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "array": "list",
    "object": "mapping",
}


@dataclass(frozen=True, slots=True)
class Described:
    """One key of a recipe.

    Attributes:
        path: dotted; `[]` follows the name of a list of blocks: "probe.ask[].count".
        kind: which block of a union has it, such as "local" for `model.path`; empty where there is only one.
        block: name of the class that has it.
        types: in words: "whole number", "one of a, b", "list of text", "block", joined by "or".
        default: as JSON, or `REQUIRED`; "{...}" for a block, whose keys follow.
        about: the docstring under the field; empty where there is none.
        bounds: in words, joined by commas; empty where there are none.
    """

    path: str
    kind: str
    block: str
    types: str
    default: str
    about: str
    bounds: str


def fields() -> Iterator[Described]:
    """All keys, in the order in which blocks define them; inner ones follow the block that has them."""
    schema = recipe_schema()
    yield from _of_block(schema, schema["$defs"], "", "", "Recipe")


def _of_block(block: Any, blocks: Any, prefix: str, kind: str, named: str) -> Iterator[Described]:
    required = block.get("required", ())
    for name, field in block["properties"].items():
        yield Described(
            prefix + name,
            kind,
            named,
            _types(field),
            REQUIRED if name in required else _default(field),
            field.get("description", ""),
            ", ".join(dict.fromkeys(_bounds(field))),
        )
        inner = list(dict.fromkeys(_refs(field, "")))
        for ref, mark in inner:
            other = ref.rpartition("/")[2]
            tag = _tag(blocks[other]) if sum(1 for _, m in inner if m == mark) > 1 else ""
            where = f"{prefix}{name}{mark}."
            yield from _of_block(blocks[other], blocks, where, tag or kind, other)


def _refs(node: Any, mark: str) -> Iterator[tuple[str, str]]:
    """Blocks that may stand here, with `[]` for those in a list."""
    if "$ref" in node:
        yield node["$ref"], mark
    for part in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _refs(part, mark)
    if "items" in node:
        yield from _refs(node["items"], "[]")


def _tag(block: Any) -> str:
    """The value that tells a block of a union from the others."""
    for name in ("type", "name"):
        if "const" in (field := block["properties"].get(name, {})):
            return str(field["const"])
    return ""


def _types(node: Any) -> str:
    return " or ".join(dict.fromkeys(_each_type(node))) or "anything"


def _each_type(node: Any) -> Iterator[str]:
    if "$ref" in node:
        yield "block"
    elif "const" in node:
        yield json.dumps(node["const"]).strip('"')
    elif "enum" in node:
        yield "one of " + ", ".join(json.dumps(value).strip('"') for value in node["enum"])
    elif node.get("type") == "array" and (inner := node.get("items")):
        yield f"list of {_types(inner)}"
    elif "type" in node:
        yield _TYPES[node["type"]]
    for part in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _each_type(part)


def _bounds(node: Any) -> Iterator[str]:
    for word, said in _BOUNDS.items():
        if word in node:
            yield said.format(f"{node[word]:,}")
    for part in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        if "$ref" not in part:
            yield from _bounds(part)
    if "$ref" not in node.get("items", {"$ref": ""}):
        yield from _bounds(node["items"])


def _default(field: Any) -> str:
    value = field.get("default")
    return "{...}" if isinstance(value, dict) and value else json.dumps(value, ensure_ascii=False)
