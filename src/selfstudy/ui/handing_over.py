"""Starts `selfstudy publish` for a run of the folder, and reads what became of it off the disk.

In published/ of the folder: NAME, the publication; NAME.log, what the command said, its process in the first
line.  A page that is closed loses nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.errors import DataError, RunError
from selfstudy.files import private
from selfstudy.text import clean

FOLDER = "published"
_LARGEST = 2**20
_SHOWN = 40
"""Lines of the log, the last ones."""
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
    log = _log(folder, name, to_hub=to_hub)
    if (found := state(folder, name, to_hub=to_hub)) is not None and found.runs:
        raise RunError(f"{name} is being published already", "wait until it ends")
    private.make_folder(log.parent)
    target = f"hub:{name}" if to_hub else str(log.parent / name)
    # -P: nothing is imported from the working directory
    command = [
        sys.executable,
        "-P",
        "-m",
        "selfstudy.cli",
        "publish",
        str(run),
        f"--to={target}",
        "--yes",
        *options,
    ]
    try:
        with private.replacing(log) as file:
            file.write(b"")
        with os.fdopen(private.open_file(log, os.O_WRONLY | os.O_APPEND), "ab") as said:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
            said.write(f"process {process.pid}\n".encode())
    except OSError as error:
        raise RunError(f"the command cannot be started: {error.strerror}", "try it in a terminal") from None
    threading.Thread(target=process.wait, daemon=True).start()  # else it stays in the table of processes


def state(folder: Path, name: str, *, to_hub: bool) -> Handing | None:
    """How far it is; None: it was not begun.

    Raises:
        DataError: it is no name.
    """
    log = _log(folder, name, to_hub=to_hub)
    try:
        lines = clean(private.read(log, _LARGEST).decode("utf-8", "replace")).splitlines()
    except OSError:
        return None
    begun = next((line for line in lines if line.startswith("process ")), "")
    pid = begun.removeprefix("process ")
    runs = pid.isdecimal() and len(pid) < 10 and private.process_exists(int(pid))
    told = [line for line in lines if line != begun]
    return Handing(name, runs, tuple(told[-_SHOWN:]), "" if to_hub or runs else _card(log.parent / name))


def _card(folder: Path) -> str:
    from selfstudy.verbs.publishing.card import README

    try:
        return clean(private.read(folder / README, _LARGEST).decode("utf-8", "replace"))
    except OSError:
        return ""


def _log(folder: Path, name: str, *, to_hub: bool) -> Path:
    parts = name.split("/")
    if len(parts) != (2 if to_hub else 1) or not all(_NAME.fullmatch(part) for part in parts):
        wanted = "OWNER/NAME" if to_hub else "a name of letters, digits, '.', '-' and '_'"
        raise DataError(f"{name[:100]!r} is no name for it", f"give {wanted}")
    place = folder / FOLDER
    if place.is_symlink():
        raise DataError(f"{place} is a link, which is not followed", "move it away")
    return place / f"{'--'.join(parts)}.log"
