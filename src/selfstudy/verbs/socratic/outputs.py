"""Which files this verb may replace: its own, told by the mark in a row or in the measures."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic_core import from_json

from selfstudy.errors import RunError
from selfstudy.files import private

MARK: dict[str, str] = {"selfstudy": "socratic"}
"""In every row and in the measures."""
_KEPT = frozenset({"written", "dialogues", "judged", "before", "after", "rows", "measures"})
_LONGEST = 32 * 2**20
"""Bytes of a first line, or of measures."""


def require_free(path: Path, source: Path, hint: str) -> None:
    """Refuses to replace anything but a file of ours.

    Args:
        hint: what to do about it.

    Raises:
        RunError: it is the input `source`, a link, a folder, or somebody's.
    """
    if not path.exists() and not path.is_symlink():
        return
    if path.exists() and source.exists() and path.samefile(source):
        raise RunError(f"{path} is the input itself", hint)
    if path.is_symlink():
        raise RunError(f"{path} is a link; it was left as it is", hint)
    if not _is_ours(path):
        raise RunError(f"{path} is no output of selfstudy socratic; it was left as it is", hint)


def require_apart(rows: Path, folder: Path) -> None:
    """Refuses rows in the place of what is kept.

    Raises:
        RunError: `folder` keeps something by that name.
    """
    stem = rows.name.partition(".")[0]
    if rows.resolve().parent == folder.resolve() and stem in _KEPT and rows.name != "rows.jsonl":
        raise RunError(
            f"--rows {rows}: the folder of --out keeps something else by that name",
            "give --rows another name, such as rows.jsonl",
        )


def require_outside(path: Path, source: Path, option: str) -> None:
    """Refuses an output within a folder that is read: a run stays as it is, and no output becomes a document.

    Raises:
        RunError: `path` lies in there.
    """
    if source.is_dir() and path.resolve().is_relative_to(source.resolve()):
        raise RunError(f"{path} lies in {source}, which is only read", f"give another place with {option}")


def _is_ours(path: Path) -> bool:
    """An empty file is anybody's: nothing is lost."""
    try:
        with os.fdopen(private.open_file(path, os.O_RDONLY), "rb") as file:
            data = file.readline(_LONGEST)
            if data.strip() == b"{":  # measures are indented
                data += file.read(_LONGEST)
        value = from_json(data) if data else MARK
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and MARK.items() <= value.items()
