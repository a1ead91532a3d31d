"""Which files this verb may replace: its own, told by the mark in a row or in the measures."""

from __future__ import annotations

from pathlib import Path

from selfstudy.errors import RunError
from selfstudy.verbs import outputs

MARK: dict[str, str] = {outputs.MARK: "socratic"}
"""In every row and in the measures."""
_KEPT = frozenset({"written", "dialogues", "judged", "before", "after", "rows", "measures"})


def require_free(path: Path, source: Path, hint: str) -> None:
    """Refuses to replace anything but a file of ours; see `outputs.require_free`."""
    outputs.require_free(path, source, hint, "socratic")


def require_apart(rows: Path, folder: Path) -> None:
    """Refuses rows in the place of what is kept.

    Raises:
        RunError: `folder` keeps something by that name.
    """
    outputs.require_apart(rows, folder, _KEPT, "--rows", "rows.jsonl")


def require_outside(path: Path, source: Path, option: str) -> None:
    """Refuses an output within a folder that is read: a run stays as it is, and no output becomes a document.

    Raises:
        RunError: `path` lies in there.
    """
    if source.is_dir() and path.resolve().is_relative_to(source.resolve()):
        raise RunError(f"{path} lies in {source}, which is only read", f"give another place with {option}")
