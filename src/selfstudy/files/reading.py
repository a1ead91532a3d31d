"""The content of files that a person or a recipe names: whole, within a bound, and never a wait without end.

What cannot be read is an OSError whose `strerror` says why in a few words.  Knows nothing of what is in them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, AnyStr

LARGEST = 100_000_000
"""Bytes of a text file: more is a mistake, or an attack."""
LONGEST_LINE = 10_000_000
"""Bytes or characters of a line: what a parser has to hold at once."""
_NO_LINE = 10 * LARGEST
MOST_VALUES = 2**22
"""Values in JSON that is parsed at once: each takes up to 100 bytes of memory, and three in a file."""
_KERNEL = ("/proc", "/sys")
_OPENED = ("/dev/fd", "/proc/self/fd", "/dev/stdin")
"""Where a shell puts what it hands over: `<(command)`."""


def content(path: Path, most: int = LARGEST) -> bytes:
    """All bytes of a file.

    Raises:
        OSError: it cannot be read, is no file, or has more than `most` bytes.
    """
    check(path)
    with path.open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return found


def check_values(data: bytes) -> None:
    """Before JSON is parsed: whether what it becomes surely has room in memory.

    Raises:
        ValueError: it may have more than `MOST_VALUES` values.
    """
    if len(data) > MOST_VALUES and sum(map(data.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values")


def text(path: Path, most: int = LARGEST) -> str:
    """The text of a UTF-8 file, all line ends \\n.

    Raises:
        OSError: as `content`.
        UnicodeDecodeError: it is not UTF-8.
    """
    return content(path, most).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def check(path: Path) -> None:
    """Whether a file can be opened and read to its end: a pipe may wait for ever, /dev/zero has none.

    Raises:
        OSError: it is not there, no file, or no name of a file.
    """
    try:
        mode = path.stat().st_mode
    except ValueError:
        raise OSError(errno.EINVAL, "a name with a NUL character is no file's", str(path)) from None
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "it is a folder, not a file", str(path))
    if str(path).startswith(_OPENED):
        return
    if of_kernel(Path(os.path.realpath(path))):
        raise OSError(errno.EINVAL, "it is a file of the kernel, which may have no end", str(path))
    if not stat.S_ISREG(mode):
        kind = "device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "pipe"
        raise OSError(errno.EINVAL, f"it is a {kind}, not a file", str(path))


def of_kernel(real: Path) -> bool:
    """Whether a resolved path is the kernel's: what is read there may wait for ever, or hold its secrets."""
    return any(real.is_relative_to(place) for place in _KERNEL)


def lines(file: IO[AnyStr]) -> Iterator[AnyStr]:
    """The lines of an open file; of one that is too long the beginning, more than `LONGEST_LINE`.

    Raises:
        OSError: a line does not end, as in a file of 10**12 bytes of which none is on the disk.
    """
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        end = b"\n" if isinstance(line, bytes) else "\n"
        blocks = 0
        while len(line) >= LONGEST_LINE and line[-1:] != end:
            line = file.readline(LONGEST_LINE)
            blocks += 1
            if blocks * LONGEST_LINE > _NO_LINE:
                raise OSError(errno.EFBIG, f"it has a line of more than {_NO_LINE:,} bytes", str(file.name))


def exists(path: Path) -> bool:
    """Whether something is there; not where the name is none, or the way to it is closed."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def expanded(name: str) -> Path:
    """A path, its ~ replaced; that of somebody who has no account here stays, and nothing is there."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def is_folder(path: Path) -> bool:
    """Whether a folder is there; not where the name is none, as that of a model elsewhere may be."""
    return exists(path) and path.is_dir()
