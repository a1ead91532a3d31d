"""Files that come and go: which have changed, and are whole, for nobody has written to them for a while.

A cheap look at names, sizes and times; no file is read.  Knows nothing of documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from selfstudy.errors import DataError
from selfstudy.library.walk import files_of
from selfstudy.recipe import FolderSource, LibraryBlock
from selfstudy.recipe.library import ATLAS

FileMarks = Mapping[str, tuple[int, ...]]
"""Of each file its size, when it was last changed (and its name or rights), and its number."""
PATIENCE = 20
"""So many settle times are waited for files that are written to all the time; then they are passed over."""


def marks_of(library: LibraryBlock, *, follow_links: bool = False) -> dict[str, tuple[int, ...]] | None:
    """The files of a library that lie here; None: a folder or file of it is not there.

    A file that goes while it is looked at is not there.
    """
    found: dict[str, tuple[int, ...]] = {}
    for number, source in enumerate(library.here):
        path = source.path if isinstance(source, FolderSource) else source.dump
        if path is None or path == ATLAS:
            continue
        try:
            for file, name in files_of(Path(path), [], follow_links=follow_links):
                found[f"{number}:{name}"] = _mark(file)
        except (DataError, OSError):
            return None
    return found


def _mark(file: Path) -> tuple[int, ...]:
    try:
        stat = file.stat()
    except OSError:
        return ()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


@dataclass
class FilesAtRest:
    """Says when files have changed and are at rest.

    Attributes:
        settle: seconds for which nobody may have written to a file.
        before: how they were when they were last read; None: never.
    """

    settle: float
    before: FileMarks | None = None
    restless: frozenset[str] = frozenset()
    """Those that have changed and are not at rest, when it was last looked."""
    _last: dict[str, tuple[int, ...] | None] = field(default_factory=dict, init=False)
    _since: dict[str, float] = field(default_factory=dict, init=False)
    _waiting: float | None = field(default=None, init=False)

    def ready(self, marks: FileMarks, now: float) -> bool:
        """Whether something has changed since the files were read, and all that has is at rest.

        Or some of it is at rest, and the rest has been in motion for long.

        Args:
            now: a clock, in seconds, that never goes back.
        """
        if self.before is None:
            return True
        before = self.before
        moved = {name for name in before.keys() | marks.keys() if before.get(name) != marks.get(name)}
        for name in moved:
            if name not in self._since or self._last[name] != marks.get(name):
                self._last[name], self._since[name] = marks.get(name), now
        for name in self._since.keys() - moved:
            del self._last[name], self._since[name]
        self.restless = frozenset(name for name in moved if now - self._since[name] < self.settle)
        if not self.restless:
            self._waiting = None
            return bool(moved)
        self._waiting = now if self._waiting is None else self._waiting
        return len(self.restless) < len(moved) and now - self._waiting >= PATIENCE * self.settle

    def read(self, marks: FileMarks) -> None:
        """They have been read as `marks` has them, but for the restless ones, which are still to be."""
        before = self.before or {}
        self.before = {name: mark for name, mark in marks.items() if name not in self.restless}
        self.before |= {name: before[name] for name in self.restless if name in before}
        self._waiting = None
        self.restless = frozenset()
