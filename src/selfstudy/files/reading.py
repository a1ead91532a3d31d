"""The content of files that a person or a recipe names: whole, within a bound, and never a wait without end.

What cannot be read is an OSError whose `strerror` says why in a few words.  Knows nothing of what is in them.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, AnyStr

LARGEST = 100_000_000
"""Bytes of a text file: more is a mistake, or an attack."""
LONGEST_LINE = 10_000_000
"""Bytes or characters of a line: what a parser has to hold at once."""
_NO_LINE = 10 * LARGEST
_MOST_PIPED = 10 * LARGEST
MOST_MEMORY = 550_000_000
"""Bytes that JSON which is parsed at once may become, beside its text: in all less than a gigabyte."""
_BYTES = {b",": 48, b"[": 64, b"{": 230, b'"': 32}
"""What a number, a list, an object and half a string take in memory, measured with Python 3.11."""
_MOST_EACH = 100
"""Of memory, for a byte of JSON: `{},` and `[],` take the most."""
_NO_MARKS = bytes(set(range(256)) - set(b"".join(_BYTES)))
_KERNEL = ("/proc", "/sys")
_OPENED = re.compile("/dev/stdin|(?:/dev|/proc/self)/fd/([0-9]{1,9})")
"""Where a shell puts what it hands over: `<(command)`."""


class TooLargeError(OSError, ValueError):
    """Content that is more than is read at once."""


def content(path: Path, most: int = LARGEST) -> bytes:
    """All bytes of a file.

    Raises:
        TooLargeError: it has more than `most` bytes.
        OSError: it cannot be read, or is no file.
    """
    with readable(path).open("rb") as file:
        # as many as there are: Python reserves memory for all that are asked for
        found = file.read(min(os.fstat(file.fileno()).st_size, most) + 1)
    if len(found) > most:
        raise TooLargeError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return found


def check_values(data: bytes) -> None:
    """Before JSON is parsed: whether what it becomes surely has room in memory.

    Raises:
        TooLargeError: it may take more than `MOST_MEMORY`.
    """
    if len(data) * _MOST_EACH <= MOST_MEMORY:
        return
    # one character that takes two bytes or four widens all of a text
    wide = 3 if _WIDEST.search(data) else 1 if b"\\u" in data or not data.isascii() else 0
    left = MOST_MEMORY - wide * len(data)
    if _memory(data) > left and _memory(_without_strings(data)) > left:
        raise TooLargeError(f"it may hold more than fits into {MOST_MEMORY:,} bytes of memory")


_WIDEST = re.compile(rb"[\xf0-\xff]")
"""How a character begins in UTF-8 that takes four bytes of memory."""


def _memory(data: bytes) -> int:
    return sum(data.count(mark) * size for mark, size in _BYTES.items())


def _without_strings(data: bytes) -> bytes:
    """The marks of `_BYTES` that are no part of a text, with the quotes around each."""
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NO_MARKS)
    found = bytearray()
    inside = 0
    for start in range(0, len(plain), 2**16):
        parts = plain[start : start + 2**16].split(b'"')
        found += b"".join(parts[inside::2]) + b'"' * (len(parts) - 1)
        inside = (inside + len(parts) - 1) % 2
    return bytes(found)


def readable(path: Path) -> Path:
    """Where the content of a file can be read from its start, as often as one likes.

    What comes through a pipe that a shell handed over can be read once, so it is kept in a file without a
    name for as long as this process runs.

    Raises:
        OSError: as `check`; a pipe gives too much.
    """
    check(path)
    state = path.stat()
    if stat.S_ISREG(state.st_mode):
        return path
    pipe = (state.st_dev, state.st_ino)
    if pipe not in _PIPED:
        _PIPED[pipe] = _keep(path)
    return Path(f"/dev/fd/{_PIPED[pipe].fileno()}")


def _keep(pipe: Path) -> IO[bytes]:
    """All that comes through a pipe, in a file that has no name."""
    kept = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when the process ends
    left = _MOST_PIPED
    with pipe.open("rb") as file:
        while block := file.read(min(left + 1, 2**20)):
            left -= len(block)
            if left < 0:
                said = f"it gives more than {_MOST_PIPED:,} bytes: save them as a file"
                raise OSError(errno.EFBIG, said, str(pipe))
            kept.write(block)
    kept.flush()
    return kept


_PIPED: dict[tuple[int, int], IO[bytes]] = {}
"""What came through each pipe."""


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
    if stat.S_ISFIFO(mode) and _is_handed_over(str(path)):
        return
    if of_kernel(Path(os.path.realpath(path))):
        raise OSError(errno.EINVAL, "it is a file of the kernel, which may have no end", str(path))
    if not stat.S_ISREG(mode):
        kind = "device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "pipe"
        raise OSError(errno.EINVAL, f"it is a {kind}, not a file", str(path))


def _is_handed_over(name: str) -> bool:
    """Whether it names what this process was given by the one that started it, and nothing that it opened.

    A pipe of ours may never end.  An open file of ours is a file like others: whoever names it could give its
    path.
    """
    match = _OPENED.fullmatch(name)
    return match is not None and os.get_inheritable(int(match[1] or 0))


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
    if not name.startswith("~"):  # of ./~x a Path makes ~x, which is somebody's home
        return Path(name)
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def is_folder(path: Path) -> bool:
    """Whether a folder is there; not where the name is none, as that of a model elsewhere may be."""
    return exists(path) and path.is_dir()


def begins(path: Path, start: bytes) -> bool:
    """Whether a file is there that can be read and begins with `start`."""
    try:
        check(path)
        with path.open("rb") as opened:
            return opened.read(len(start)) == start
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether a file is there, likewise."""
    return exists(path) and path.is_file()
