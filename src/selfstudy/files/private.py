"""Files and folders on a disk that others use too: for their owner alone, and never by way of a link.

What is opened is a regular file: a link is not followed, a pipe or a device not waited for.  What is made is
closed to others whatever the umask.  A temporary name is used by nobody else.  Knows nothing of what is in
the files, nor whose they are.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

FOLDER, FILE = 0o700, 0o600
"""Modes of what is made: it may hold other people's documents, and answers about them."""
SHARED = 0o666
"""Mode of a file that a person has named: what the umask leaves of it."""
LARGEST = 64 * 2**20
"""Bytes of the largest file that is read at once."""
_TEMPORARY = re.compile(r"\.selfstudy-([0-9]{1,10})-[0-9a-f]{16}\.tmp")
_DAY = 86_400.0


def open_file(path: Path, flags: int, mode: int = FILE) -> int:
    """A descriptor of a regular file.

    Raises:
        OSError: also where a link, a pipe, a device, a socket or a folder is there.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link, and links are not followed", str(path)) from None
        if error.errno in (errno.ENXIO, errno.ENODEV):
            raise _irregular(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _irregular(path)
    return descriptor


def _irregular(path: Path) -> OSError:
    return OSError(errno.EINVAL, "it is not a regular file", str(path))


def read(path: Path, largest: int = LARGEST) -> bytes:
    """All bytes of a file.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger than that.
    """
    with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, and at most {largest:,} are read", str(path))
        return file.read(largest)


@contextmanager
def replacing(path: Path, mode: int = FILE) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` in one step when the block ends well; else nothing is left.

    A reader sees the old file or the new one, never half of either.
    """
    temporary = path.with_name(f".selfstudy-{os.getpid()}-{secrets.token_hex(8)}.tmp")
    descriptor = open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def make_folder(path: Path) -> None:
    """A folder, and those above it that are missing; one that is there stays as it is.

    Raises:
        OSError: it cannot be made, or a file is there.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process has just made it
            try:
                folder.mkdir(FOLDER)
            except FileNotFoundError:  # of what the system itself keeps, such as /proc
                raise OSError(errno.EACCES, "no folder can be made here", str(folder)) from None
        if not folder.is_dir():
            raise OSError(errno.ENOTDIR, "it is not a folder", str(folder))


def close(path: Path, found: os.stat_result) -> bool:
    """Takes from something of this user what others may do with it; whether there was anything to take.

    Args:
        found: what `lstat` says of it; it is no link.
    """
    mode = stat.S_IMODE(found.st_mode)
    if not mode & 0o077 or found.st_uid != os.geteuid():
        return False
    with suppress(OSError):  # a file system without modes
        path.chmod(mode & ~0o077)
        return True
    return False


def close_tree(folder: Path) -> None:
    """`close` for a folder and all that is in it: libraries write by the umask."""
    for path, found in [(folder, folder.lstat()), *below(folder)]:
        if not stat.S_ISLNK(found.st_mode):
            close(path, found)


def below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a folder, with what `lstat` says of it; links are not followed."""
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop()):
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # who writes has just replaced it
                continue
            yield Path(entry.path), found
            if stat.S_ISDIR(found.st_mode):
                waiting.append(Path(entry.path))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:  # who writes has just moved or deleted it
        return []


def is_temporary(path: Path) -> bool:
    """Whether a name is one of those under which `replacing` writes."""
    return _TEMPORARY.fullmatch(path.name) is not None


def is_left_over(path: Path, found: os.stat_result) -> bool:
    """Whether a kill left such a file; asked by one whose lock keeps other writers away."""
    named = _TEMPORARY.fullmatch(path.name)
    if named is None or not stat.S_ISREG(found.st_mode):
        return False
    pid = int(named[1])
    return pid == os.getpid() or not process_exists(pid) or time.time() - found.st_mtime > _DAY


def process_exists(pid: int) -> bool:
    """Whether a process of this number runs."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
