"""What a job leaves in the run when it does not end well, for a person who looks later: `selfstudy status`.

A file per job in RUN/slurm, taken away when the job begins again and ends well: not every queue keeps
accounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from selfstudy.errors import BudgetError, RunError, SelfstudyError
from selfstudy.files import jsonl, own, private
from selfstudy.secrets import without_secrets
from selfstudy.text import shortened

ENDING = ".failed.json"
_LONGEST = 2_000


class FailureNote(BaseModel):
    """`budget`, an `error` that a person can fix, a `fault` of ours, `stopped` by a signal."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    kind: Literal["budget", "error", "fault", "stopped"]
    said: str = ""


@contextmanager
def noted(file: Path) -> Iterator[None]:
    """Writes down how what is done inside ends, if not well."""
    try:
        yield
    except BaseException as error:
        _write(file, _note(error))
        raise
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _note(error: BaseException) -> FailureNote:
    kind: Literal["budget", "error", "fault", "stopped"] = "fault"
    if isinstance(error, KeyboardInterrupt):
        return FailureNote(kind="stopped")
    if isinstance(error, SelfstudyError):
        kind = "budget" if isinstance(error, BudgetError) else "error"
    said = str(error) if kind != "fault" else f"{type(error).__name__}: {error}"
    return FailureNote(kind=kind, said=shortened(without_secrets(said), _LONGEST))


def _write(file: Path, note: FailureNote) -> None:
    with suppress(RunError):  # what stopped the job matters more
        if own.is_marked(file.parent):  # somebody's own folder may have the name
            jsonl.replace(file, jsonl.encode(note.model_dump(mode="json")), None)


def read_note(file: Path) -> FailureNote | None:
    """The note in a file; None where there is none that can be read."""
    try:
        return FailureNote.model_validate_json(private.read(file, 100_000))
    except (OSError, ValidationError):
        return None


def note_file(folder: Path, part: str, round_: int, shard: int | None = None) -> Path:
    """Where a job's note goes."""
    return folder / f"{part}-{round_}{'' if shard is None else f'.{shard}'}{ENDING}"
