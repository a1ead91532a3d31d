"""Which files a verb may replace: its own, told by the mark in a first row or in measures.

{"selfstudy": "discuss", ...}    or, in a row that says more, {"selfstudy": {"verb": "discuss", ...}, ...}
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from pydantic_core import from_json

from selfstudy.errors import RunError
from selfstudy.files import private

MARK = "selfstudy"
_LONGEST = 32 * 2**20
"""Bytes of a first line, or of measures."""


def require_free(path: Path, source: Path | None, hint: str, verb: str) -> None:
    """Refuses to replace anything but a file of a verb.

    Args:
        source: the input; None: there is no file of it.
        hint: what to do about it.

    Raises:
        RunError: it is the input, a link, a folder, or somebody's.
    """
    if not path.exists() and not path.is_symlink():
        return
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise RunError(f"{path} is the input itself", hint)
    if path.is_symlink():
        raise RunError(f"{path} is a link; it was left as it is", hint)
    if not _is_of(verb, path):
        raise RunError(f"{path} is no output of selfstudy {verb}; it was left as it is", hint)


def require_apart(path: Path, folder: Path, kept: Collection[str], option: str, free: str) -> None:
    """Refuses an output in the place of what is kept.

    Args:
        kept: what is kept in `folder`, by the beginnings of its names up to a dot.
        free: a name there that is no such place.

    Raises:
        RunError: `folder` keeps something by that name.
    """
    within = path.resolve().parent == folder.resolve()
    if within and path.name != free and path.name.partition(".")[0] in kept:
        raise RunError(
            f"{option} {path}: the folder of --out keeps something else by that name",
            f"give {option} another name, such as {free}",
        )


def _is_of(verb: str, path: Path) -> bool:
    """An empty file is anybody's: nothing is lost."""
    return verb_of(path) in ("", verb)


def verb_of(path: Path) -> str | None:
    """Which verb wrote a file, by its own mark; "" if the file is empty, None if none of ours did."""
    try:
        with os.fdopen(private.open_file(path, os.O_RDONLY), "rb") as file:
            data = file.readline(_LONGEST)
            if data.strip() == b"{":  # measures are indented
                data += file.read(_LONGEST)
        if not data:
            return ""
        value = from_json(data)
    except (OSError, ValueError):
        return None
    mark = value.get(MARK) if isinstance(value, dict) else None
    verb = mark.get("verb") if isinstance(mark, dict) else mark
    return verb if isinstance(verb, str) and verb else None
