"""The JSON schema of recipes, for editors that complete and check them; the docstrings are its descriptions.

Knows what may be written short (`nli: none`), which the types alone do not tell. It is no looser than
`load_recipe`, but for rules that join two keys, which only `load_recipe` knows.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from selfstudy.recipe.base import Block
from selfstudy.recipe.whole import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""By its name alone: nothing is fetched."""
TITLE = "A recipe of selfstudy"
"""By which the file is told from those of others."""
SOURCE = "Source: "
"""Ends a docstring with who gives the default.  One that is nothing else goes on with that of the block which
this one is made from: the same key, with another default."""
_UNSAID = ("local", "classifier")
"""Types that a block of a model may leave out."""


def recipe_schema() -> dict[str, Any]:
    """The schema as plain data, made anew: the caller may change it."""
    made = Recipe.model_json_schema()
    blocks = made["$defs"]
    for block in blocks_of(Recipe):
        part = made if block is Recipe else blocks[block.__name__]
        part["description"] = inspect.cleandoc(block.__doc__ or "")
        for name, about in docstrings(block).items():
            if name in part["properties"]:
                part["properties"][name]["description"] = about
    for part in (made, *blocks.values()):
        for field in part.get("properties", {}).values():
            _loosen(field, blocks)
            field.pop("title", None)
    _shorter(made)
    return {
        "$schema": DIALECT,
        "title": TITLE,
        **{k: made[k] for k in made if k != "title"},
    }


def blocks_of(block: type[Block], seen: set[type[Block]] | None = None) -> Iterator[type[Block]]:
    """A block and every one that can stand in it, each once."""
    seen = set() if seen is None else seen
    if block in seen:
        return
    seen.add(block)
    yield block
    for field in block.model_fields.values():
        for inner in _inside(field.annotation):
            yield from blocks_of(inner, seen)


def _inside(annotation: Any) -> Iterator[type[Block]]:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        yield annotation
    for part in get_args(annotation):
        yield from _inside(part)


@cache
def docstrings(block: type[BaseModel]) -> dict[str, str]:
    """What stands under the fields of a block and of those that it is made from; the nearest counts."""
    found: dict[str, str] = {}
    for kind in reversed(block.__mro__):
        if issubclass(kind, Block) and (source := inspect.getsourcefile(kind)):
            for name, said in _of_file(Path(source)).get(kind.__name__, {}).items():
                before = found.get(name, "").partition(SOURCE)[0].rstrip()
                found[name] = f"{before}\n{said}" if said.startswith(SOURCE) else said
    return {name: found[name] for name in block.model_fields if name in found}


@cache
def _of_file(source: Path) -> dict[str, dict[str, str]]:
    """By class and field, the texts under the fields of all classes of a file."""
    classes: dict[str, dict[str, str]] = {}
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            classes[node.name] = {}
            for field, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    match text:
                        case ast.Expr(value=ast.Constant(value=str(said))):
                            classes[node.name][field.target.id] = inspect.cleandoc(said)
    return classes


def _loosen(node: Any, blocks: dict[str, Any]) -> None:
    """Has unions say which `type` must be written, and lets one that needs nothing else stand alone."""
    if isinstance(node, list):
        for one in node:
            _loosen(one, blocks)
    if not isinstance(node, dict):
        return
    for name, part in node.items():
        if name not in ("default", "const", "enum"):
            _loosen(part, blocks)
    tag = node.get("discriminator", {}).get("propertyName")
    if tag is None:
        return
    kinds: dict[str, str] = node["discriminator"]["mapping"]
    node["oneOf"] = [
        {"$ref": ref} if name in _UNSAID else {"$ref": ref, "required": [tag]} for name, ref in kinds.items()
    ]
    del node["discriminator"]  # a word of OpenAPI, that editors do not know


def _shorter(made: dict[str, Any]) -> None:
    """What may be written short, or as YAML reads it, and is no part of the types."""
    blocks = made["$defs"]
    sources = blocks["LibraryBlock"]["properties"]["sources"]
    text = {"type": "string", "description": "A folder or file, or the address of a page."}
    sources["items"] = {"anyOf": [text, *sources["items"]["oneOf"]]}
    library = made["properties"]["library"]
    library["anyOf"] += [
        sources["items"],
        {"type": "array", "items": sources["items"], "minItems": 1},
    ]
    for name, block in {"deploy": "DeployBlock", "track": "TrackBlock"}.items():
        _or_else(made["properties"], name, {"enum": blocks[block]["properties"]["type"]["enum"]})
    _or_else(blocks["GatherBlock"]["properties"], "max_age", {"type": "integer", "minimum": 1})
    alone = [
        block["properties"]["type"]["const"]
        for block in (blocks[name] for name in ("NLIBlock", "PromptedNLI", "NoNLI"))
    ]
    for part in (made, blocks["VerifyBlock"]):
        _or_else(part["properties"], "nli", {"enum": alone})
    blocks["Seq2SeqNLI"]["properties"]["form"]["enum"].append(True)


def _or_else(fields: dict[str, Any], name: str, other: dict[str, Any]) -> None:
    field = fields[name]
    shape = {key: field.pop(key) for key in ("$ref", "oneOf", "anyOf") if key in field}
    fields[name] = {"anyOf": [*shape.pop("anyOf", [shape] if shape else []), other], **field}
