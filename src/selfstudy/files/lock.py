"""A lock file: held by one process, let go by the kernel if that dies.

POSIX only (flock).  Knows nothing of runs or stages.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from selfstudy.errors import RunError
from selfstudy.files import jsonl, private
from selfstudy.text import clean

_LABELLED_SECONDS = 2.0
"""Who holds a lock has said so in it by then, or never does."""
_LABEL = re.compile(rb"(?:process (\d+) on (\S*)\n?)?")


def take(path: Path, run: Path, option: str = "--run") -> int:
    """Locks the file `path`; returns the descriptor that holds the lock until it is closed.

    Args:
        run: what is locked, for messages.
        option: which names it.

    Raises:
        RunError: another process holds it (the message says which), or the file system has no locks.
    """
    with jsonl.writing(path, run):
        descriptor = private.open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = clean(_label(descriptor).decode(errors="replace")).strip() or "an unknown process"
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise RunError(f"cannot lock {run}: {error.strerror}", "put the run on a local disk") from None
        raise RunError(
            f"{'the run ' * (option == '--run')}{run} is being written by {holder}",
            f"wait for it, stop it, or give another {option} DIR",
        ) from None
    with suppress(OSError):  # on a full disk the lock still holds; only its label is missing
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return descriptor


def release(descriptor: int) -> None:
    """Lets go of a lock, though a child of this process may still hold the descriptor."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@contextmanager
def waited(path: Path, run: Path, patience: float = 5.0, option: str = "--run") -> Iterator[None]:
    """Holds a lock that others hold for moments only: one after the other.

    Args:
        patience: seconds for which another is waited for.

    Raises:
        RunError: it was held all that time, or cannot be taken at all.
    """
    end = time.monotonic() + patience
    while True:
        try:
            held = take(path, run, option)
            break
        except RunError:
            if time.monotonic() > end or not path.exists():
                raise
            time.sleep(0.02)
    try:
        yield
    finally:
        release(held)


def _label(descriptor: int) -> bytes:
    """What stands in a lock that another holds, once that is of a live process.

    Who took it this moment may not have said so yet: until then it names the one before.
    """
    end = time.monotonic() + _LABELLED_SECONDS
    while not _is_alive(label := os.pread(descriptor, 200, 0)) and time.monotonic() < end:
        time.sleep(0.02)
    return label


def _is_alive(label: bytes) -> bool:
    found = _LABEL.fullmatch(label)
    if found is None or found[1] is None or found[2] != socket.gethostname().encode():
        return False
    try:
        os.kill(int(found[1]), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # of another user
    return True


def holder(path: Path) -> int | None:
    """The process of this machine that says in a lock file that it holds it, if that lives."""
    try:
        label = private.read(path, 1000)
    except OSError:
        return None
    found = _LABEL.fullmatch(label)
    return int(found[1]) if found is not None and found[1] and _is_alive(label) else None


def is_lock(path: Path) -> bool:
    """Whether a file is one that `take` left: its label, or nothing, is all that it holds."""
    try:
        return _LABEL.fullmatch(private.read(path, 1000)) is not None
    except OSError:
        return False
