"""Our mark on what is only there while an engine runs, and the end of what a kill has left of it.

Processes carry the mark in their environment, folders in their name.  It tells which process of which
machine made them; what is left of one that is dead is ended and removed when engines are next wanted.  Knows
no engine.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from selfstudy.models.server.watchdog import VARIABLE
from selfstudy.records import digest

KILLED_SECONDS = 5.0
"""Until what was killed is really gone."""
FolderKind = Literal["selfstudy-server", "selfstudy-model", ".served"]
_FOLDER = re.compile(
    r"(?:selfstudy-server|selfstudy-model|\.served)-([0-9a-f]{8}-[0-9a-f]{8}-[0-9]+-[0-9]+)-[a-z0-9_]+"
)


def mark() -> str:
    """Which process this is: machine, its start, process id, the process's start."""
    return f"{_machine()}-{_boot()}-{os.getpid()}-{_began(os.getpid())}"


def make_folder(kind: FolderKind, beside: Path | None = None) -> Path:
    """A folder for this user alone that carries our mark, in `beside` or where temporary files go."""
    return Path(tempfile.mkdtemp(prefix=f"{kind}-{mark()}-", dir=beside))


def sweep(beside: Path | None = None) -> None:
    """Ends the engines and removes the folders of processes that are dead.

    An engine is known by the mark, and looked for where its folder is found.

    Args:
        beside: where to look for folders; None: where temporary files go.
    """
    with suppress(OSError):  # no folder for temporary files
        found = _dead_folders(Path(tempfile.gettempdir()) if beside is None else beside)
        for owner in {owner for owner, _ in found}:
            kill_marked(owner + "/")
        for _, folder in found:
            shutil.rmtree(folder, ignore_errors=True)


def kill_marked(start: str, seconds: float = KILLED_SECONDS) -> None:
    """Kills the processes whose mark begins so, again and again until there are none, or the time is over."""
    deadline = time.monotonic() + seconds
    while (found := _carriers(start)) and time.monotonic() < deadline:
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _carriers(start: str) -> list[int]:
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # of another user, or gone
            if process.environ().get(VARIABLE, "").startswith(start) and process.pid != os.getpid():
                found.append(process.pid)
    return found


def _dead_folders(place: Path) -> list[tuple[str, Path]]:
    """(mark, folder) of folders of ours whose process is dead; never a link, or another user's."""
    found = []
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            match = _FOLDER.fullmatch(entry.name)
            if match is None or not _is_dead(match[1]):
                continue
            with suppress(OSError):
                about = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid():
                    found.append((match[1], Path(entry.path)))
    return found


def _is_dead(owner: str) -> bool:
    """Whether the process of a mark has ended, as far as this machine can know."""
    machine, boot, pid, began = owner.split("-")
    if machine != _machine():  # on a disk that machines share
        return False
    if boot != _boot():
        return True
    try:
        return _began(int(pid)) != began
    except OSError:
        return True


def _machine() -> str:
    """The machine, or the container: process ids mean something within it."""
    space = ""
    with suppress(OSError):
        space = str(os.stat("/proc/self/ns/pid").st_ino)  # noqa: PTH116
    return digest(os.uname().nodename, space)[:8]


def _boot() -> str:
    try:
        return digest(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))[:8]
    except OSError:
        return "0" * 8


def _began(pid: int) -> str:
    """When a process started, in ticks since the machine did.

    Raises:
        OSError: there is no such process.
    """
    if sys.platform != "linux":
        with suppress(PermissionError):
            os.kill(pid, 0)
        return "0"
    line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    state, *rest = line.rpartition(")")[2].split()
    if state == "Z":
        raise ProcessLookupError(pid)
    return rest[18]
