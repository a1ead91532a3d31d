"""The values of a recipe as plain data: what no file and no program can work with, and how they are shown.

Knows no keys.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from selfstudy.secrets import NOT_SHOWN, looks_random, names_secret, without_secrets
from selfstudy.text import shortened

_LONG_RUN = re.compile("[A-Za-z0-9]{20,}")
_SHOWN = 80
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
    shown = without_keys(ascii(key)[1:-1] if _not_text(key) else key)
    return shortened(shown, _SHOWN)


def shown(value: object) -> str:
    """A value as a message shows it."""
    return shortened(without_secrets(_written(value)), _SHOWN)


def wrong(value: object) -> str:
    """One that no recipe can have, so that it may be anything, as a message shows it."""
    return shortened(without_keys(_written(value)), _SHOWN)


def without_keys(text: str) -> str:
    """`text` without what is or may be a secret: also runs of letters and digits that no word is."""
    return _LONG_RUN.sub(_unless_word, without_secrets(text))


def _unless_word(run: re.Match[str]) -> str:
    mixed = not run[0].isalpha() and not run[0].isdigit()
    return NOT_SHOWN if mixed or looks_random(run[0]) else run[0]


def _written(value: object) -> str:
    return json.dumps(_veiled(value), ensure_ascii=False, default=str)


def _veiled(value: object) -> object:
    """Plain data without secrets, known ones and what a name calls one."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {name: NOT_SHOWN if names_secret(str(name)) else _veiled(part) for name, part in value.items()}
    return [_veiled(part) for part in value] if isinstance(value, list) else value


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
