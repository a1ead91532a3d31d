"""The values of a recipe as plain data: what no file and no program can work with, and how they are shown.

Knows no keys.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from selfstudy.text import shortened

_GREATEST = 2**63
"""Whole numbers from here on are none to most programs."""


def unreadable(data: Mapping[Any, Any]) -> Iterator[str]:
    """What neither a file nor a program can work with, wherever it stands."""
    for key, value in leaves(data):
        if isinstance(value, str) and (said := _not_text(value)):
            yield f"{brief(key)}: the text {said}"
        elif not _is_usable(value):
            yield f"{brief(key)}: the number is too large, or none"
        if said := _not_text(key):
            yield f"{brief(key)}: the key {said}"


def _is_usable(value: object) -> bool:
    """Whether it is no number, or a finite one of an ordinary size."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -_GREATEST < value < _GREATEST


def _not_text(value: str) -> str:
    if "\0" in value:
        return "holds a NUL character"
    return (
        ""
        if value.isascii() or value.encode("utf-8", "ignore").decode() == value
        else "holds half a character"
    )


def brief(key: str) -> str:
    """A key as a message shows it."""
    shown = ascii(key)[1:-1] if _not_text(key) else key
    return shortened(shown, 80)


def kind_of(value: object) -> str:
    """What a key is that is no text."""
    return {"bool": "true or false", "NoneType": "nothing"}.get(type(value).__name__, "a number")


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything in nested plain data that is not itself a non-empty container."""
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    if not items or not value:
        yield key, value
        return
    for name, part in items:
        yield from leaves(part, f"{key}.{name}" if key else str(name))
