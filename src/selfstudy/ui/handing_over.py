"""Starts `selfstudy publish` for a run of the folder, and reads what became of it off the disk.

A publication lies in published/NAME of the folder; its command is one of processes.py, so that a page that is
closed loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.errors import DataError
from selfstudy.files import private
from selfstudy.text import clean
from selfstudy.ui import processes

FOLDER = "published"
_LARGEST = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


@dataclass(frozen=True)
class Handing:
    """How far a publication is.

    Attributes:
        runs: whether the command still works.
        lines: what it said last.
        card: README.md of a folder that was published, else "".
    """

    name: str
    runs: bool
    lines: tuple[str, ...]
    card: str


def start(folder: Path, run: Path, name: str, options: Sequence[str], *, to_hub: bool) -> None:
    """Starts the command.

    Args:
        folder: that is worked in.
        name: of a folder below published/, or OWNER/NAME.

    Raises:
        DataError: it is no name.
        RunError: this one is being published already, or the command cannot be started.
    """
    place = _place(folder, name, to_hub=to_hub)
    if to_hub:
        target = f"hub:{name}"
    else:
        try:
            private.make_folder(folder / FOLDER)
        except OSError as error:
            raise DataError(f"cannot make {folder / FOLDER}: {error.strerror}", "see what is there") from None
        target = str(folder / FOLDER / name)
    processes.start(place, ["publish", str(run), f"--to={target}", "--yes", *options])


def state(folder: Path, name: str, *, to_hub: bool) -> Handing | None:
    """How far it is; None: it was not begun.

    Raises:
        DataError: it is no name.
    """
    place = _place(folder, name, to_hub=to_hub)
    if (command := processes.last(place)) is None:
        return None
    runs = processes.runs(command)
    card = "" if to_hub or runs else _card(folder / FOLDER / name)
    return Handing(name, runs, tuple(processes.tail(place)), card)


def _card(folder: Path) -> str:
    from selfstudy.verbs.publishing.card import README

    try:
        return clean(private.read(folder / README, _LARGEST).decode("utf-8", "replace"))
    except OSError:
        return ""


def _place(folder: Path, name: str, *, to_hub: bool) -> Path:
    """Where what belongs to its command lies, see `processes.place_of`."""
    parts = name.split("/")
    if len(parts) != (2 if to_hub else 1) or not all(_NAME.fullmatch(part) for part in parts):
        wanted = "OWNER/NAME" if to_hub else "a name of letters, digits, '.', '-' and '_'"
        raise DataError(f"{name[:100]!r} is no name for it", f"give {wanted}")
    if (folder / FOLDER).is_symlink():
        raise DataError(f"{folder / FOLDER} is a link, which is not followed", "move it away")
    return processes.place_of(folder, "/".join([FOLDER, *parts]))
