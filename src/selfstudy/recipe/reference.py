"""The keys of a recipe with what is to be known of each: type, default, bounds, docstring, source.

Read out of the blocks' own fields and docstrings, so that no key can be missing.  A docstring may end with
`Source: ...`, which says who gives the default; without it the default is ours.  Knows no stage and no page.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from selfstudy.recipe.base import Block
from selfstudy.recipe.whole import Recipe

OURS = "ours"
"""The source of a default that nobody else gives."""
_SOURCE = "Source: "
_TELLS_BLOCKS_APART = ("type", "name")
_BOUNDS = {
    "ge": "at least",
    "gt": "above",
    "le": "at most",
    "lt": "below",
    "min_length": "no fewer than",
    "max_length": "no more than",
    "pattern": "of the form",
}
_WORDS: dict[object, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    Any: "any value",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class RecipeKey:
    """One key of one block.

    Attributes:
        block: the class that a value of it is checked with.
        name: the key within its block.
        kind: its type in words.
        default: as YAML would be read; "required" where there is none.
        bounds: in words; empty where there are none.
        allowed: its values, where they are named.
        text: the docstring, without its source; empty where there is none.
        source: who gives the default.
    """

    block: type[Block]
    name: str
    kind: str
    default: str
    bounds: tuple[str, ...]
    allowed: tuple[str, ...]
    text: str
    source: str

    @property
    def id(self) -> str:
        """Unique among all keys, and the anchor of the key on the page."""
        return f"{self.block.__name__}.{self.name}"


def blocks(root: type[Block] = Recipe) -> tuple[type[Block], ...]:
    """Every block that a recipe can hold, however deep, each once, in the order of the fields."""
    found: dict[type[Block], None] = {root: None}
    waiting = [root]
    while waiting:
        for field in waiting.pop(0).model_fields.values():
            for block in _blocks_in(field.annotation):
                if block not in found:
                    found[block] = None
                    waiting.append(block)
    return tuple(found)


def keys() -> tuple[RecipeKey, ...]:
    """Every key of every block."""
    return tuple(_key(block, name, field) for block in blocks() for name, field in block.model_fields.items())


def places(root: type[Block] = Recipe) -> dict[type[Block], tuple[str, ...]]:
    """The dotted keys at which each block may stand; `*` is an item of a list."""
    found: dict[type[Block], list[str]] = {root: [""]}
    waiting: list[tuple[type[Block], str]] = [(root, "")]
    while waiting:
        block, at = waiting.pop(0)
        for name, field in block.model_fields.items():
            many = ".*" if _is_many(field.annotation) else ""
            for inner in _blocks_in(field.annotation):
                where = f"{at}.{name}{many}".lstrip(".")
                found.setdefault(inner, []).append(where)
                waiting.append((inner, where))
    return {block: tuple(dict.fromkeys(where)) for block, where in found.items()}


def summary_of(block: type[Block]) -> str:
    """The docstring of a block, on lines as long as they come."""
    return inspect.cleandoc(block.__doc__ or "")


@cache
def docstrings(block: type[Block]) -> dict[str, str]:
    """The docstrings of the fields that the class itself writes, by name."""
    body = ast.parse(textwrap.dedent(inspect.getsource(block))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            value = after.value if isinstance(after, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[field.target.id] = inspect.cleandoc(value.value)
    return found


def _key(block: type[Block], name: str, field: FieldInfo) -> RecipeKey:
    text, _, source = _docstring(block, name).partition(_SOURCE)
    if not text and name in _TELLS_BLOCKS_APART:
        text = "Says that it is this block, and no other that may stand here."
    return RecipeKey(
        block=block,
        name=name,
        kind=" or ".join(dict.fromkeys(_kinds(field.annotation))),
        default=_default(field),
        bounds=tuple(dict.fromkeys(_bounds(field.metadata))) + tuple(dict.fromkeys(_inner(field.annotation))),
        allowed=tuple(dict.fromkeys(_allowed(field.annotation))),
        text=text.strip(),
        source=" ".join(source.split()).removesuffix(".") or OURS,
    )


def _docstring(block: type[Block], name: str) -> str:
    """That of the class, or of the nearest one from which it has the field."""
    classes = [one for one in block.__mro__ if issubclass(one, Block) and one is not Block]
    return next((found for one in classes if (found := docstrings(one).get(name))), "")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return _as_read(value)


def _as_read(value: object) -> str:
    if isinstance(value, Block):
        return "as its keys below"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_item(one) for one in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _item(value: object) -> str:
    if isinstance(value, Block):
        given = value.model_dump(mode="json", exclude_defaults=True)
        return "{" + ", ".join(f"{name}: {_as_read(one)}" for name, one in given.items()) + "}"
    return _as_read(value)


def _opened(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """(type, metadata) of what may be annotated."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        kind, metadata = _opened(inner)
        return kind, (*metadata, *more)
    return annotation, ()


def _parts(annotation: Any) -> Iterator[Any]:
    """The types of which a type is made, one level down."""
    kind, _ = _opened(annotation)
    if get_origin(kind) is not Literal:
        yield from get_args(kind)


def _blocks_in(annotation: Any) -> Iterator[type[Block]]:
    kind, _ = _opened(annotation)
    if isinstance(kind, type) and issubclass(kind, Block):
        yield kind
    for part in _parts(annotation):
        if part is not Ellipsis:
            yield from _blocks_in(part)


def _is_many(annotation: Any) -> bool:
    kind, _ = _opened(annotation)
    if get_origin(kind) in (tuple, list):
        return True
    return get_origin(kind) in (Union, types.UnionType) and any(_is_many(one) for one in get_args(kind))


def _kinds(annotation: Any) -> Iterator[str]:
    kind, _ = _opened(annotation)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        for part in get_args(kind):
            yield from _kinds(part)
    elif origin is Literal:
        yield "one of the allowed values"
    elif origin in (tuple, list):
        items = dict.fromkeys(said for one in get_args(kind) if one is not Ellipsis for said in _kinds(one))
        yield f"list of ({' or '.join(items)})"
    elif origin is dict:
        yield f"mapping to ({' or '.join(dict.fromkeys(_kinds(get_args(kind)[1])))})"
    elif isinstance(kind, type) and issubclass(kind, Block):
        yield f"block {kind.__name__}"
    else:
        yield _WORDS.get(kind, str(kind))


def _inner(annotation: Any) -> Iterator[str]:
    """The bounds within a union or a list."""
    _, metadata = _opened(annotation)
    yield from _bounds(metadata)
    for part in _parts(annotation):
        if part is not Ellipsis:
            yield from _inner(part)


def _bounds(metadata: Any) -> Iterator[str]:
    for one in metadata:
        if isinstance(one, FieldInfo):
            yield from _bounds(one.metadata)
            continue
        for name, words in _BOUNDS.items():
            if (value := getattr(one, name, None)) is not None:
                yield f"{words} {value}"


def _allowed(annotation: Any) -> Iterator[str]:
    kind, _ = _opened(annotation)
    if get_origin(kind) is Literal:
        yield from (_as_read(value) for value in get_args(kind))
    for part in _parts(annotation):
        if part is not Ellipsis:
            yield from _allowed(part)
