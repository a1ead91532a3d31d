"""Which folders are ours: they carry a mark, and without it nothing is ever replaced or deleted.

Knows nothing of runs but the file by which one is told, so that those who know no runs can leave them alone.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from pydantic_core import from_json

from selfstudy.errors import RunError
from selfstudy.files import private

log = logging.getLogger(__name__)

MARK = ".selfstudy"
"""The file in a folder that says that we made it."""
_TEXT = b"selfstudy made this folder, and replaces or deletes it: keep nothing of your own here.\n"
_START = b"selfstudy made this folder"
UNFINISHED = ".tmp"
PAGE = '<meta name="generator" content="selfstudy">'
"""Near the start of every page that we make."""
_PAGE_START = f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{PAGE}\n'.encode()
"""How each of them begins, to the letter, whatever version made it: another's page may quote the mark."""
RUN_FILE, RUN_KIND = "run.json", "selfstudy run"
"""The file in a run directory that says so, and the `kind` that it begins with."""
_RUN_START = f'{{\n  "kind": "{RUN_KIND}"'.encode()


def unfinished(folder: Path) -> Path:
    """Where a folder is made, before it takes its place in one step; for one who holds a lock."""
    return folder.with_name(folder.name + UNFINISHED)


def make(folder: Path) -> None:
    """A folder with our mark; one of ours that is there already is taken as it is.

    Raises:
        RunError: something else is there.
        OSError: it cannot be made.
    """
    check(folder)
    private.make_folder(folder)
    mark(folder)


def mark(folder: Path) -> None:
    """Marks a folder that we made a moment ago."""
    if not is_marked(folder):
        with private.replacing(folder / MARK) as file:
            file.write(_TEXT)


def is_marked(folder: Path) -> bool:
    """Whether a folder carries our mark."""
    try:
        return private.read(folder / MARK, 4096).startswith(_START)
    except OSError:
        return False


def is_run(folder: Path) -> bool:
    """Whether a folder is a run directory, whatever state it is in."""
    try:
        data = private.read(folder / RUN_FILE, 2**20)
        return data.startswith(_RUN_START) or says_run(from_json(data))
    except (OSError, ValueError):
        return False


def says_run(written: object) -> bool:
    """Whether the content of a file is that of a run; those of before the mark are told by their keys."""
    if not isinstance(written, Mapping):
        return False
    return written.get("kind", RUN_KIND) == RUN_KIND and {"selfstudy", "recipe_digest"} <= written.keys()


def is_torn_file(path: Path) -> bool:
    """Whether the file that tells a run ends within its first words: nobody's work is in there."""
    try:
        return _RUN_START.startswith(private.read(path, len(_RUN_START)))
    except OSError:
        return False


def is_page(path: Path) -> bool:
    """Whether a file is a page that we made, so that another may take its place.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    return _beginning(path).startswith(_PAGE_START)


def says_page(path: Path) -> bool:
    """Whether a file says near its start that we made it: reason enough not to learn from it.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    return PAGE.encode() in _beginning(path)


def _beginning(path: Path) -> bytes:
    with os.fdopen(private.open_file(path, os.O_RDONLY), "rb") as file:
        return file.read(1024)


def check(folder: Path, holds: Collection[str] | None = None) -> bool:
    """Whether a folder of ours is there; an empty one counts, for nobody loses it.

    Args:
        holds: all that we put there; what has another name is somebody's, mark or no mark.

    Raises:
        RunError: something else is there.
    """
    try:
        kind = folder.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(kind):
        raise not_ours(folder, "is a link, which is not followed")
    if not stat.S_ISDIR(kind):
        raise not_ours(folder, "is not a folder")
    # another process may be making it at this moment: its mark is then still under a name of `replacing`
    foreign = sorted(path.name for path in folder.iterdir() if not private.is_temporary(path))
    if is_marked(folder):
        foreign = [] if holds is None else [name for name in foreign if name not in (MARK, *holds)]
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise not_ours(folder, f"holds what selfstudy did not put there ({', '.join(foreign[:3])}{more})")
    return True


def not_ours(path: Path, why: str) -> RunError:
    """The error for what is in the way."""
    return RunError(
        f"{path} {why}; it was left as it is",
        "move it to another place, then give the same command again",
    )


def remove(folder: Path, holds: Collection[str] | None = None) -> None:
    """Deletes a folder of ours, its mark last, so that a kill leaves it ours; nothing there is fine.

    Raises:
        RunError: it is not ours (see `check`).
        OSError: it cannot be deleted.
    """
    if not check(folder, holds):
        return
    clear(folder)
    (folder / MARK).unlink(missing_ok=True)
    folder.rmdir()


def clear(folder: Path, keep: Collection[str] = ()) -> None:
    """Deletes what is in a folder of ours, but the mark and what is called as one of `keep`."""
    for path in list(folder.iterdir()):
        if path.name == MARK or path.name in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def inspect(root: Path, ours: Callable[[str], bool], *, tidy: bool, shared: Collection[str] = ()) -> None:
    """Checks that a folder of ours, as far as we use it, leads nowhere else and holds files and folders only.

    Args:
        ours: whether something directly in it is, by its name; all else there is passed over.
        tidy: also close it to others, and delete what `private.replacing` left when it was killed.  For one
            whose lock keeps other writers away.
        shared: folders in which others write all the same: what is being written there is let be.

    Raises:
        RunError: there is a link, a pipe, a device or a socket.
    """
    if tidy and private.close(root, root.stat()):
        log.warning("%s was open to other users of this machine; now it is closed to them", root)
    for path in sorted(root.iterdir()):
        if not (ours(path.name) or private.is_temporary(path)):
            continue
        try:
            found = path.lstat()
        except FileNotFoundError:  # who writes has just moved it into place
            continue
        inside = private.below(path) if stat.S_ISDIR(found.st_mode) else ()
        for one, state in [(path, found), *inside]:
            if private.is_temporary(one):
                if tidy and path.name not in shared and private.is_left_over(one, state):
                    one.unlink(missing_ok=True)
            elif stat.S_ISLNK(state.st_mode):
                if one.suffix != UNFINISHED:  # nobody opens a file of such a name; `check` sees to folders
                    raise not_ours(one, "is a link, and in a run none is followed")
            elif not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
                raise not_ours(one, "is neither a file nor a folder")
            elif tidy:
                private.close(one, state)
