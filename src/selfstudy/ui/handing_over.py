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
from selfstudy.files import jsonl, private
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
        done: whether it said that it has published; what an earlier one left proves nothing of this one.
        lines: what it said last.
        card: README.md of a folder that it published, else "".
    """

    name: str
    runs: bool
    done: bool
    lines: tuple[str, ...]
    card: str


def start(folder: Path, run: Path, name: str, options: Sequence[str], *, to_hub: bool) -> None:
    """Starts the command.

    Args:
        folder: that is worked in.
        name: of a folder below published/, or OWNER/NAME.

    Raises:
        DataError: it is no name.
        RunError: this one is being published already, or the folder or the command cannot be made.
    """
    place = _place(folder, name, to_hub=to_hub)
    if to_hub:
        target = f"hub:{name}"
    else:
        with jsonl.writing(folder / FOLDER, None):
            private.make_folder(folder / FOLDER)
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
    from selfstudy.verbs.publishing.publish import DONE

    runs = processes.runs(command)
    lines = tuple(processes.tail(place))
    done = not runs and any(line.startswith(DONE) for line in lines)
    card = _card(folder / FOLDER / name) if done and not to_hub else ""
    return Handing(name, runs, done, lines, card)


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
