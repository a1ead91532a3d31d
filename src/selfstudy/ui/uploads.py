"""Documents that a browser gave: of a kind that a library reads, not too many, under names that are safe.

They are copied into a folder of ours, closed to others.  Knows nothing of runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from selfstudy.errors import DataError
from selfstudy.files import private
from selfstudy.library.parsing.formats import FORMATS, READERS
from selfstudy.text import shortened

MOST, LARGEST, ALL = 500, 64 * 2**20, 512 * 2**20
"""Files, bytes of each, and bytes of all, for one run."""
_UNSAFE = re.compile(r"[^\w .()+-]+")


def safe_name(given: str) -> str:
    """A name for a file, near to the one it had: no path, no control character, not hidden."""
    last = Path(re.split(r"[/\\]", given)[-1])
    ending = _UNSAFE.sub("-", last.suffix)[:10]
    stem = _UNSAFE.sub("-", last.stem).strip(" .-")[:60] or "document"
    return stem + ending.lower()


def check(files: Sequence[Path]) -> None:
    """Raises DataError: too many, too large, or of a kind that is not read."""
    if len(files) > MOST:
        raise DataError(
            f"{len(files)} files were given, and at most {MOST} are taken", "name a folder instead"
        )
    total = 0
    for file in files:
        name = shortened(file.name, 80)
        if file.suffix.lower() not in READERS:
            raise DataError(f"{name} is of a kind that is not read", f"give {FORMATS}")
        size = file.stat().st_size if file.is_file() and not file.is_symlink() else 0
        if not size:
            raise DataError(f"{name} is empty, or no file", "leave it out")
        total += size
        if size > LARGEST or total > ALL:
            raise DataError(
                f"{name}: a file may have {LARGEST // 2**20} MiB, and all of them {ALL // 2**20} MiB",
                "put the documents into a folder, and name that folder",
            )


def keep(files: Sequence[Path], folder: Path) -> list[str]:
    """Copies files into a folder, which is made; returns the names that they have there.

    Raises:
        DataError: see `check`; or they cannot be written.
    """
    check(files)
    try:
        private.make_folder(folder)
        taken = {one.name for one in folder.iterdir()}
        names = []
        for file in files:
            name = _free(safe_name(file.name), taken)
            taken.add(name)
            with private.replacing(folder / name) as written:
                written.write(private.read(file, LARGEST))
            names.append(name)
    except OSError as error:
        raise DataError(f"cannot keep what was given: {error.strerror}", f"check {folder}") from None
    return names


def _free(name: str, taken: set[str]) -> str:
    stem, ending = Path(name).stem, Path(name).suffix
    number = 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}{ending}"
    return name
