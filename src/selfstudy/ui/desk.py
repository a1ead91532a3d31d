"""The folder that is worked in: runs by name, and no path that leads out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfstudy.errors import DataError, RunError
from selfstudy.run import Run
from selfstudy.run.directory import is_run
from selfstudy.ui import processes

DEEPEST = 3
"""Folders below the one that is worked in, in which runs are looked for."""
MOST_FOLDERS = 20_000
"""That are looked at."""
MOST_NAME = 400


@dataclass(frozen=True)
class Desk:
    """Where a person works.

    Attributes:
        folder: absolute; runs lie in it, and new ones are made there.
    """

    folder: Path

    def run_names(self) -> list[str]:
        """Of all runs, as paths below the folder, "." for itself; what was written last comes first."""
        found: list[tuple[float, str]] = []
        open_, seen = [(self.folder, 0)], 0
        while open_ and seen < MOST_FOLDERS:
            folder, depth = open_.pop()
            seen += 1
            if _seems_run(folder):
                found.append((written(folder), folder.relative_to(self.folder).as_posix()))
            elif depth < DEEPEST:
                open_ += ((one, depth + 1) for one in _folders(folder) if one != self._beside)
        return [name for _, name in sorted(found, key=lambda one: (-one[0], one[1]))]

    def path_of(self, name: str) -> Path:
        """The folder of a run.

        Raises:
            RunError: there is no such run here; a link or a name that leads elsewhere is none.
        """
        path = self._below(name)
        plain = Path(name).as_posix() == name  # what is kept beside a run goes by its one name
        if path is None or not plain or path.is_relative_to(self._beside) or not is_run(path):
            raise RunError(
                f"there is no run {name[:MOST_NAME]!r} in {self.folder}", "choose one of the page Runs"
            )
        return path

    def file_of(self, name: str) -> Path:
        """A file below the folder.

        Raises:
            DataError: there is none; a link or a name that leads elsewhere is none.
        """
        path = self._below(name)
        if path is None or not path.is_file():
            raise DataError(
                f"there is no file {name[:MOST_NAME]!r} in {self.folder}", "give its path below that folder"
            )
        return path

    @property
    def _beside(self) -> Path:
        """Where what belongs to commands lies: the recipe of a run there makes no run of it."""
        return self.folder / processes.FOLDER

    def _below(self, name: str) -> Path | None:
        """What is there of a name, which leads nowhere else; None: nothing."""
        parts = Path(name[:MOST_NAME]).parts
        path = self.folder.joinpath(*parts)
        inside = not Path(name).is_absolute() and ".." not in parts and "\0" not in name
        try:
            return path if inside and not _has_link(self.folder, parts) and path.exists() else None
        except OSError:  # no file system has such a name
            return None

    def open(self, name: str) -> Run:
        """The run, to be read.

        Raises:
            RunError: there is none, or it cannot be read.
        """
        return Run.open(self.path_of(name), write=False)


def asked(query: Mapping[str, str], name: str) -> str:
    """A value of a page's address; "" where it has none."""
    return query.get(name, "")[:MOST_NAME]


def safe_folders(folder: Path) -> Iterator[Path]:
    """A folder and those below it, as deep as runs are looked for; no links, none that is hidden."""
    open_, seen = [(folder, 0)], 0
    while open_ and seen < MOST_FOLDERS:
        one, depth = open_.pop()
        seen += 1
        yield one
        if depth < DEEPEST and not _seems_run(one):
            open_ += ((below, depth + 1) for below in _folders(one))


def _seems_run(folder: Path) -> bool:
    """Whether it is a run that can be looked at: one that is closed to us hides no other."""
    try:
        return is_run(folder)
    except RunError:
        return False


def _folders(folder: Path) -> list[Path]:
    try:
        found = [one for one in folder.iterdir() if one.name[0] != "." and has_text_name(one)]
        return [one for one in found if one.is_dir() and not one.is_symlink()]
    except OSError:
        return []


def has_text_name(path: Path) -> bool:
    """Whether a name is text: no address and no list can name others, which are left out."""
    return path.name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in path.name)


def _has_link(folder: Path, parts: tuple[str, ...]) -> bool:
    return any(folder.joinpath(*parts[: end + 1]).is_symlink() for end in range(len(parts)))


def written(folder: Path) -> float:
    """When something was last written directly in a folder, in seconds; 0 where nobody knows."""
    try:
        return max(one.stat().st_mtime for one in folder.iterdir())
    except (OSError, ValueError):
        return 0.0
