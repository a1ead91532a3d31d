"""Which files of a folder belong to a library, in sorted order; all else is named, with the reason.

Passed over: names that begin with a dot; links (one within the library shows what is read under its own name;
one that leaves it, or leads to what is hidden in it, may show anything, so only an option follows it); run
directories, folders and caches of selfstudy, whose answers would come back as evidence; /proc and /sys, whose
files have no end or do something.  A hard link looks like any other file.  It knows nothing of what is in the
files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from selfstudy import text
from selfstudy.errors import DataError
from selfstudy.files import own, reading
from selfstudy.files.cache import cache_folder
from selfstudy.library.parsing.formats import FORMATS
from selfstudy.records import Skipped


def files_of(path: Path, skipped: list[Skipped], *, follow_links: bool = False) -> Iterator[tuple[Path, str]]:
    """The files of the file or folder `path`, each with its name relative to it.

    Args:
        skipped: takes what is passed over.
        follow_links: whether links that leave the folder are followed.

    Raises:
        DataError: nothing is there, or a folder whose files are no documents.
    """
    if not reading.exists(path):
        raise DataError(
            f"library: nothing at {text.shortened(str(path), 300)}", f"give a folder or file of {FORMATS}"
        )
    if why := _no_documents(path.resolve()):
        raise DataError(f"library: {path} is {why}", f"give a folder or file of {FORMATS}")
    if path.is_dir():
        yield from _Walk(path, path.resolve(), skipped, follow_links).below(path)
    else:
        yield path, text.clean(path.name)


def _no_documents(real: Path) -> str:
    """Why nothing in a folder, or a file, is a document; "" if it may be."""
    if reading.of_kernel(real):
        return "a folder of the kernel"
    if own.is_run(real):
        return "a run directory of selfstudy"
    if own.is_marked(real) or real == cache_folder().resolve():
        return "a folder that selfstudy made"
    return ""


@dataclass
class _Walk:
    """From a folder down.

    Attributes:
        root: as it was given; `real`: where it lies.
        entered: the folders so far, by device and number: none is read twice, whatever links there are.
    """

    root: Path
    real: Path
    skipped: list[Skipped]
    follow_links: bool
    entered: set[tuple[int, int]] = field(default_factory=set)

    def below(self, folder: Path) -> Iterator[tuple[Path, str]]:
        """The files of a folder, then those of its folders."""
        try:
            found = folder.stat()
            paths = sorted(folder.iterdir())
        except OSError as error:
            self._skip(folder, f"cannot be read: {error.strerror}")
            return
        if (found.st_dev, found.st_ino) in self.entered:
            self._skip(folder, "a folder that is read already, under another name")
            return
        self.entered.add((found.st_dev, found.st_ino))
        folders = []
        for path in paths:
            if reason := self._why_not(path):
                self._skip(path, reason)
            elif path.is_dir():
                folders.append(path)
            else:
                yield path, self._name(path)
        for path in folders:
            yield from self.below(path)

    def _name(self, path: Path) -> str:
        return text.clean(path.relative_to(self.root).as_posix())

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(Skipped(source=self._name(path), reason=reason))

    def _why_not(self, path: Path) -> str:
        """Why a file or folder is passed over; "" if it is not."""
        if path.name.startswith("."):
            return "hidden: its name begins with a dot"
        if not path.is_symlink():
            return _no_documents(path.resolve()) if path.is_dir() else ""
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            return f"a link that cannot be followed: {getattr(error, 'strerror', None) or error}"
        if target.is_relative_to(self.real):
            inner = target.relative_to(self.real)
            if not any(part.startswith(".") for part in inner.parts):
                return f"a link within the library, to {text.clean(inner.as_posix())}"
            leaves = f"a link to what is hidden in the library, {text.clean(inner.as_posix())}"
        else:
            leaves = f"a link that leaves the library, to {text.clean(str(target))}"
        if not self.follow_links:
            return f"{leaves}: copy what is to be read, or set gather.follow_links"
        why = next(filter(None, map(_no_documents, _with_parents(target))), "")
        return why and f"{leaves}: it is, or lies in, {why}"


def _with_parents(path: Path) -> Sequence[Path]:
    return [path, *path.parents]
