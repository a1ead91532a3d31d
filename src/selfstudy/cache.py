"""A cache on disk: key -> bytes, in one SQLite file that several processes may share and a kill cannot tear.

A cache never stops a run: a damaged file is set aside; what a full disk does not take is held in memory.
It knows nothing of what is kept.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, used REAL NOT NULL);
CREATE INDEX IF NOT EXISTS by_use ON entries (used);
"""
_AT_ONCE = 500
"""Keys of one SELECT; SQLite takes at least 999 parameters."""
_ROOM = 0.9
"""Share of the limit that is left full when entries are evicted."""


def cache_folder() -> Path:
    """This user's caches: $SELFSTUDY_HOME/cache, else $XDG_CACHE_HOME/selfstudy or ~/.cache/selfstudy.

    The folder need not exist yet.
    """
    if home := os.environ.get("SELFSTUDY_HOME"):
        return Path(home).expanduser() / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selfstudy"


class Cache:
    """Entries of any size; beyond `limit` bytes those that were not used for longest are evicted.

    Args:
        path: the SQLite file; its folder is made.
        limit: most bytes of all values together; None is no limit.
        shared: whether several processes use the file much (a write-ahead log, beside which they need not
            wait for each other). Without, the file can be read on a full disk too.
    """

    def __init__(self, path: Path, limit: int | None = None, *, shared: bool = True) -> None:
        self.path = path
        self._limit = limit
        self._shared = shared
        self._lock = threading.Lock()
        self._warned = False
        self._held: dict[str, bytes] = {}
        """What could not be written: goes with the next `put`."""
        self._db = self._open()

    def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The entries of those `keys` that are there."""
        with self._lock:
            found = {key: self._held[key] for key in keys if key in self._held} if self._held else {}
            try:
                for start in range(0, len(keys), _AT_ONCE):
                    some = keys[start : start + _AT_ONCE]
                    marks = ",".join("?" * len(some))
                    found.update(
                        self._db.execute(f"SELECT key, value FROM entries WHERE key IN ({marks})", some)
                    )
                if self._limit is not None and found:
                    now = time.time()
                    with self._db:
                        self._db.executemany(
                            "UPDATE entries SET used = ? WHERE key = ?", [(now, key) for key in found]
                        )
            except sqlite3.Error as error:
                self._complain(error)
        return found

    def put(self, entries: Mapping[str, bytes]) -> None:
        """Writes all `entries`, or after an error or a kill none of them."""
        now = time.time()
        with self._lock:
            self._held.update(entries)
            rows = [(key, value, now) for key, value in self._held.items()]
            try:
                with self._db:
                    self._db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
                    self._evict()
                self._held.clear()
            except sqlite3.Error as error:
                self._complain(error)

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM entries").fetchone()[0])

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._db.close()

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return self._connect(self.path)
        except (sqlite3.DatabaseError, OSError) as error:
            if isinstance(
                error, OSError | sqlite3.OperationalError
            ):  # locked, not allowed, full: not damaged
                self._complain(error)
                return self._connect(":memory:")
            aside = self.path.with_name(self.path.name + ".damaged")
            log.warning("the cache %s is damaged (%s): set aside as %s", self.path, error, aside.name)
            self.path.replace(aside)
            for side in ("-wal", "-shm"):  # they belong to the damaged file
                self.path.with_name(self.path.name + side).unlink(missing_ok=True)
            return self._connect(self.path)

    def _connect(self, place: Path | str) -> sqlite3.Connection:
        db = sqlite3.connect(place, timeout=60, check_same_thread=False)
        db.execute(f"PRAGMA journal_mode = {'WAL' if self._shared else 'DELETE'}")
        db.execute(f"PRAGMA synchronous = {'NORMAL' if self._shared else 'FULL'}")
        db.executescript(_SCHEMA)
        return db

    def _evict(self) -> None:
        if self._limit is None:
            return
        size = self._db.execute("SELECT coalesce(sum(length(value)), 0) FROM entries").fetchone()[0]
        if size <= self._limit:
            return
        for key, length in self._db.execute(
            "SELECT key, length(value) FROM entries ORDER BY used"
        ).fetchall():
            self._db.execute("DELETE FROM entries WHERE key = ?", (key,))
            size -= length
            if size <= self._limit * _ROOM:
                break

    def _complain(self, error: Exception) -> None:
        if not self._warned:
            log.warning("the cache %s cannot be used (%s): going on in memory", self.path, error)
            self._warned = True
