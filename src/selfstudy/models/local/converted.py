"""Model files in another format, converted once into a folder of ours and read from there afterwards.

The folders lie in the user's cache, closed to others, one for each state of a file (path, size, time, and the
version of what converts it).  Beyond LIMIT bytes those that were not used for longest go, but none that was
used within a day: two large models of one run would take turns.  Knows nothing of formats.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selfstudy.errors import ModelError, RunError
from selfstudy.files import own, private
from selfstudy.files.cache import cache_folder
from selfstudy.records import digest

LIMIT = 40 * 10**9
"""Bytes of all conversions together; the newest stays, whatever its size."""
_IN_USE = 86_400.0
"""Seconds within which a conversion that was used is kept, whatever they take together."""
_SPARE = 10**9
"""Bytes of the disk that are left free."""
Make = Callable[[Path], None]
Say = Callable[[str], object]


def conversion(file: Path, version: str, size: int, make: Make, say: Say) -> Path:
    """The folder that `make` fills with the model of a file, if it has not done so before.

    Args:
        version: what the result depends on beside the file.
        size: bytes that it will take, about.
        make: fills the empty folder that it is given.
        say: told before and after, as it may take minutes.

    Raises:
        ModelError: there is no room for it, or no folder where it can be kept.
    """
    room = cache_folder().absolute() / "converted"
    state = file.stat()
    folder = room / digest(str(file.resolve()), str(state.st_size), str(state.st_mtime_ns), version)
    with _as_trouble_of(room, file):
        if own.check(folder) and own.is_marked(folder):
            os.utime(folder / own.MARK)
            return folder
        private.make_folder(room)
        _tidy(room)
        if shutil.disk_usage(room).free < size + _SPARE:
            raise ModelError(
                f"{file} is converted once, into {size / 1e9:.1f} GB, and {room} has no room for it",
                "free some, or let $SELFSTUDY_HOME name a folder on a larger disk",
            )
        temporary = folder.with_name(f"{folder.name}-{os.getpid()}{own.UNFINISHED}")
        own.remove(temporary)
        own.make(temporary)
    say(f"{file.name}: converting it, once; that may take some minutes")
    began = time.monotonic()
    try:
        make(temporary)  # what fails here is the file's trouble
        with _as_trouble_of(room, file):
            _publish(temporary, folder)
    finally:
        with _as_trouble_of(room, file):
            own.remove(temporary)
    say(f"{file.name}: converted once, in {time.monotonic() - began:.0f} s; kept in {folder}")
    with _as_trouble_of(room, file):
        _evict(room, folder)
    return folder


@contextmanager
def _as_trouble_of(room: Path, file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RunError) as error:
        raise ModelError(
            f"{file} cannot be converted in {room}: {error}", "let $SELFSTUDY_HOME name another folder"
        ) from None


def _publish(temporary: Path, folder: Path) -> None:
    """Another process may do the same at the same time: who ends first has made it."""
    private.close_tree(temporary)
    try:
        temporary.replace(folder)
    except OSError:
        if not own.is_marked(folder):
            raise


def _tidy(room: Path) -> None:
    """Deletes what a kill has left."""
    for temporary in room.glob(f"*-*{own.UNFINISHED}"):
        pid = temporary.name.removesuffix(own.UNFINISHED).rpartition("-")[2]
        if pid.isdecimal() and not private.process_exists(int(pid)) and own.is_marked(temporary):
            own.remove(temporary)


def _evict(room: Path, newest: Path) -> None:
    left = LIMIT - _size(newest)
    for folder in _by_use(room, newest):
        left -= _size(folder)
        if left < 0 and time.time() - _used(folder) > _IN_USE:
            own.remove(folder)


def _by_use(room: Path, newest: Path) -> Iterator[Path]:
    """Our folders but one, last used first."""
    found = [one for one in room.iterdir() if one != newest and own.is_marked(one)]
    done = [one for one in found if one.suffix != own.UNFINISHED]
    yield from sorted(done, key=lambda one: -_used(one))


def _used(folder: Path) -> float:
    return (folder / own.MARK).stat().st_mtime


def _size(folder: Path) -> int:
    return sum(state.st_size for _, state in private.below(folder))
