"""A cache on disk: key -> bytes, in one SQLite file that several processes may share and a kill cannot tear.

A cache never stops a run: a damaged file is set aside; what a full disk does not take is held in memory, up
to a limit.  It knows nothing of what is kept.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from selfstudy.files import private, reading
from selfstudy.files.home import HOME

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, used REAL NOT NULL);
CREATE INDEX IF NOT EXISTS by_use ON entries (used);
"""
_AT_ONCE = 500
"""Keys of one SELECT; SQLite takes at least 999 parameters."""
USER_LIMIT = 2 * 10**9
"""Bytes of each cache that a user has; beyond it what was not used for longest goes."""
_ROOM = 0.9
"""Share of the limit that is left full when entries are evicted."""
_NEW = 60.0
"""Seconds in which a further use of an entry is not written down: reading must not mean writing."""
_AGAIN = 60.0
"""Seconds between two tries to write while writing fails: each try writes all that is held."""
_HELD = 64 * 2**20
"""Most bytes that are held in memory, where the file cannot be written or not even made."""
_STARTS = 20
"""Tries to open a file that other processes are just making."""


def cache_folder() -> Path:
    """This user's caches: $SELFSTUDY_HOME/cache, else $XDG_CACHE_HOME/selfstudy or ~/.cache/selfstudy.

    The folder need not exist yet.
    """
    if home := os.environ.get(HOME):
        return reading.expanded(home) / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selfstudy"


def _make_private(path: Path) -> None:
    """An empty file for its owner alone, if there is none: SQLite makes the files beside it like it.

    Raises:
        OSError: a link, or something else that is no file, is there.
    """
    try:
        os.close(private.open_file(path, os.O_RDONLY | os.O_CREAT))
    except PermissionError:  # SQLite says what can be done with such a one
        return
    private.close(path, path.lstat())


class Cache:
    """Entries of any size; beyond `limit` bytes those that were not used for longest are evicted.

    Args:
        path: the SQLite file; its folder is made.
        limit: most bytes that the entries take in the file; None is no limit.
        shared: whether several processes use the file much (a write-ahead log, beside which they need not
            wait for each other). Without, the file can be read on a full disk too.
    """

    def __init__(self, path: Path, limit: int | None = None, *, shared: bool = True) -> None:
        self.path = path
        self._limit = limit
        self._shared = shared
        self._lock = threading.Lock()
        self._warned = False
        self._inode: int | None = None
        self._held: dict[str, bytes] = {}
        """What could not be written, oldest first: goes with a later `put`, or `close`."""
        self._held_size = 0
        self._next_try = 0.0
        self._db = self._open()

    def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The entries of those `keys` that are there."""
        with self._lock:
            found = {key: self._held[key] for key in keys if key in self._held} if self._held else {}
            self._try(lambda: found.update(self._read(keys)))
        return found

    def put(self, entries: Mapping[str, bytes]) -> None:
        """Writes all `entries`, or after an error or a kill none of them."""
        with self._lock:
            for key, value in entries.items():
                self._held_size += len(value) - len(self._held.pop(key, b""))
                self._held[key] = value
            if time.monotonic() >= self._next_try:
                self._flush()
            while self._held_size > _HELD:
                self._held_size -= len(self._held.pop(next(iter(self._held))))

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM entries").fetchone()[0])

    def close(self) -> None:
        """Writes what is held, if that can be, and lets go of the file."""
        with self._lock:
            if self._held:
                self._flush()
            self._db.close()

    def _flush(self) -> None:
        now = time.time()
        rows = [(key, value, now) for key, value in self._held.items()]
        if self._try(lambda: self._write(rows)):
            self._held.clear()
            self._held_size = 0
        else:
            self._next_try = time.monotonic() + _AGAIN

    def _try(self, work: Callable[[], None]) -> bool:
        """Whether `work` succeeded, if need be with a new file in place of a damaged one."""
        try:
            try:
                work()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):  # locked, full: not damaged
                    raise
                self._set_aside(error)
                self._db.close()
                self._db = self._open()
                work()
        except (sqlite3.Error, OSError) as error:
            self._complain(error)
            return False
        return True

    def _read(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        now = time.time()
        stale = []
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            for key, value, used in self._db.execute(
                f"SELECT key, value, used FROM entries WHERE key IN ({marks})", some
            ):
                found[key] = value
                if used < now - _NEW:
                    stale.append((now, key))
        if self._limit is not None and stale:
            with self._db:
                self._db.executemany("UPDATE entries SET used = ? WHERE key = ?", stale)
        return found

    def _write(self, rows: Sequence[tuple[str, bytes, float]]) -> None:
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
            self._evict()

    def _open(self) -> sqlite3.Connection:
        try:
            private.make_folder(self.path.parent)
            if self.path.parent == cache_folder():
                private.close(self.path.parent, self.path.parent.stat())
            return self._begin()
        except (sqlite3.OperationalError, OSError) as error:  # locked, not allowed, full: not damaged
            self._complain(error)
            self._limit = _HELD if self._limit is None else min(self._limit, _HELD)
            return self._connect(":memory:")
        except sqlite3.DatabaseError as error:
            self._inode = None
            self._set_aside(error)
            return self._connect(self.path)

    def _begin(self) -> sqlite3.Connection:
        """The file, also while other processes make it: SQLite does not wait for a change of its journal."""
        for start in range(_STARTS):
            try:
                db = self._connect(self.path)
                self._inode = self.path.stat().st_ino
                return db
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or start == _STARTS - 1:
                    raise
                time.sleep(0.05)
        raise AssertionError

    def _set_aside(self, error: Exception) -> None:
        """Moves the damaged file away, unless another process has done so."""
        if self._inode is not None and self.path.stat().st_ino != self._inode:
            return
        aside = self.path.with_name(self.path.name + ".damaged")
        log.warning("the cache %s is damaged (%s): set aside as %s", self.path, error, aside.name)
        self.path.replace(aside)
        for side in ("-wal", "-shm", "-journal"):  # they belong to the damaged file
            self.path.with_name(self.path.name + side).unlink(missing_ok=True)

    def _connect(self, place: Path | str) -> sqlite3.Connection:
        if isinstance(place, Path):
            _make_private(place)
        db = sqlite3.connect(place, timeout=60, check_same_thread=False)
        db.execute(f"PRAGMA journal_mode = {'WAL' if self._shared else 'DELETE'}")
        db.execute(f"PRAGMA synchronous = {'NORMAL' if self._shared else 'FULL'}")
        db.executescript(_SCHEMA)
        return db

    def _evict(self) -> None:
        if self._limit is None or self._size() <= self._limit:
            return
        some = max(1, self._db.execute("SELECT count(*) FROM entries").fetchone()[0] // 50)
        while self._size() > self._limit * _ROOM:
            oldest = "SELECT key FROM entries ORDER BY used LIMIT ?"
            gone = self._db.execute(f"DELETE FROM entries WHERE key IN ({oldest})", (some,)).rowcount
            if not gone:
                break

    def _size(self) -> int:
        """Bytes that are in use; the file never shrinks, but its free pages are used again."""
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int(size * (pages - free))

    def _complain(self, error: Exception) -> None:
        if not self._warned:
            log.warning("the cache %s cannot be used (%s): going on in memory", self.path, error)
            self._warned = True
