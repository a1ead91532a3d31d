"""The files that rating writes, each whole and in one step, and what it refuses to replace.

Our rows have a column `selfstudy`: by it a file of ours is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from selfstudy.errors import RunError
from selfstudy.files import jsonl, private
from selfstudy.judging.rewards import Reward
from selfstudy.verbs.rating.given import Given
from selfstudy.verbs.rating.layouts import MARK
from selfstudy.verbs.rating.sheets import id_of

_SQLITE = b"SQLite format 3\0"
_FIRST_LINE = 64 * 2**20
"""Most bytes of it that are looked at."""


def require_free(path: Path, source: Path) -> None:
    """Refuses to replace a file that is no output of this verb.

    Raises:
        RunError: it is the input, or somebody's.
    """
    hint = "move it to another place, or give another file with --out"
    if not path.exists() and not path.is_symlink():
        return
    if path.exists() and source.exists() and path.samefile(source):
        raise RunError(f"{path} is the input itself", hint)
    try:
        with path.open("rb") as file:
            row = from_json(file.readline(_FIRST_LINE))
    except (OSError, ValueError):
        row = None
    if not isinstance(row, dict) or MARK not in row:
        raise RunError(f"{path} is no output of selfstudy rate; it was left as it is", hint)


def remove(path: Path, source: Path) -> None:
    """Removes what an earlier run wrote, where this one has nothing to write.

    Raises:
        RunError: it is no output of this verb, or cannot be removed.
    """
    require_free(path, source)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"{path} is from an earlier run and cannot be removed: {error.strerror or error}",
            "delete it: it does not belong to what was judged now",
        ) from None


def require_absent(path: Path) -> None:
    """Refuses to write over what a person may have filled in.

    Raises:
        RunError: something is there.
    """
    if path.exists() or path.is_symlink():
        raise RunError(f"{path} is there already, and may be judged", "move it, or give another name")


def require_cache(path: Path) -> None:
    """Refuses to put a cache where somebody's file is.

    Raises:
        RunError: it is.
    """
    hint = "give another file with --cache"
    try:
        with path.open("rb") as file:
            begins = file.read(len(_SQLITE))
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"the cache {path} cannot be read: {error.strerror or error}", hint) from None
    if begins not in (b"", _SQLITE):
        raise RunError(f"{path} is no cache of judgements; it was left as it is", hint)


def judged_beside(out: Path) -> Path:
    """Where what every answer earned is written, beside the pairs."""
    return out.with_name(f"{out.name}.judged.jsonl")


def require_apart(cache: Path, *others: Path) -> None:
    """Refuses a cache that would be written over, or would write over something.

    Raises:
        RunError: it is one of the other files.
    """
    if cache.resolve() in {path.resolve() for path in others}:
        raise RunError(f"the cache {cache} is also an input or an output", "give another file with --cache")


def judged_rows(given: Given, rewards: Mapping[str, Sequence[Sequence[Reward]]]) -> list[dict[str, Any]]:
    """What every answer earned and why, by the names of rewards, and what was wrong with rows of the file."""
    rows: list[dict[str, Any]] = []
    for i, prompt in enumerate(given.prompts):
        for k, answer in enumerate(prompt.answers):
            said = {name: _plain(of[i][k]) for name, of in rewards.items()}
            texts = {"id": id_of(prompt.text, answer.text), "prompt": prompt.text, "completion": answer.text}
            rows.append({MARK: said, **texts, "correct": answer.correct})
    return rows + [{MARK: {}, "place": place, "error": why} for place, why in given.failures]


def _plain(reward: Reward) -> dict[str, Any]:
    if reward.value is None:
        return {"problem": reward.problem}
    return {"value": reward.value, "why": reward.why}


def lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as JSON lines."""
    return b"".join(map(jsonl.encode_row, rows))


def write(path: Path, data: bytes) -> None:
    """Writes a file whole: who reads sees the old one or the new one.

    Raises:
        RunError: it cannot be written; what was there is as it was.
    """
    try:
        private.make_folder(path.parent)
        with private.replacing(path, private.SHARED) as file:
            file.write(data)
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}",
            "make room (or check permissions), then give the same command again: what was judged is kept",
        ) from None
