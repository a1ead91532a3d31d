"""What became of the jobs of a run: by the queue, its accounts, their own notes and the ends of their logs.

Knows the folder that `selfstudy submit` writes; nothing of records.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from selfstudy.files import private
from selfstudy.run.resume import RoundPart
from selfstudy.screen import printable
from selfstudy.text import shortened
from selfstudy.verbs.submitting import queue
from selfstudy.verbs.submitting.notes import ENDING, FailureNote, read_note
from selfstudy.verbs.submitting.submit import run_name, submitted

LINES = 5
"""Last lines of a log that are shown."""
_TAIL = 8_192
_NOTE = re.compile(r"([a-z]+-[0-9]{1,6})(?:\.([0-9]{1,5}))?" + re.escape(ENDING))
_ADVICE = {
    "budget": "raise `budget` in the recipe of the run, then submit again: it goes on with what is left",
    "error": "fix what it says, then submit again: only what is not done is submitted",
    "fault": "that is a fault of selfstudy's: please report what the log says; then submit again",
    "TIMEOUT": "it ran out of time, and what is done is kept: submit again, it goes on; more cluster.time or "
    "more shards make each job longer or smaller",
    "OUT_OF_MEMORY": "set cluster.memory higher, then submit again",
    "CANCELLED": "somebody ended it, or the job it waited for failed; submit again",
}
_OTHERWISE = "see its log, then submit again: only what is not done is submitted"


@dataclass(frozen=True)
class JobStatus:
    """A job, or one of an array.

    Attributes:
        name: its part and round, such as `shard-1`; `task`: its number in the array.
        state: waiting, running, done, failed or unknown.
        reason: in the queue's words; `said`: in its own.
        log: its file, with its last `lines`, of a job that failed.
    """

    name: str
    state: str
    id: int | None = None
    task: int | None = None
    reason: str = ""
    said: str = ""
    log: str = ""
    lines: tuple[str, ...] = ()
    advice: str = ""


def jobs_of(run: Path, folder: Path, rounds: int) -> tuple[list[JobStatus], str]:
    """The jobs of so many rounds of a run, and why the queue could not be asked ("": it was)."""
    found: dict[tuple[str, int | None], JobStatus] = {}
    why = ""
    begins = run_name(run)
    known = submitted(folder)
    try:
        names = [f"{begins}.{part}-{n}" for n in range(1, rounds + 1) for part in get_args(RoundPart)]
        told = queue.squeue(names) if known else []
    except queue.NoSlurmError as error:
        told, why = [], error.what
    if known:
        with suppress(queue.NoSlurmError):  # many keep no accounts, and the notes say how a job ended
            told = [*queue.sacct([one.id for one in known]), *told]
    for one in sorted(told, key=lambda one: one.id):  # what was submitted again counts
        if not one.name.startswith(f"{begins}."):  # the queue has begun to count anew since
            continue
        name = one.name.removeprefix(f"{begins}.")
        state = f"{one.state} {one.reason}".strip() if one.outcome == "failed" else one.reason
        found[name, one.task] = JobStatus(name, one.outcome, one.id, one.task, reason=state)
    for name, task, note in _notes(folder):
        if int(name.rpartition("-")[2]) > rounds:  # by hand, and by mistake
            continue
        before = found.get((name, task))
        if before is None or before.state in ("failed", "unknown"):
            before = before or JobStatus(name, "failed", task=task)
            found[name, task] = replace(
                before, said=note.said or note.kind, advice=_ADVICE.get(note.kind, "")
            )
    for submitted_ in known:
        name = submitted_.name.removeprefix(f"{begins}.")
        if not any(key[0] == name for key in found):
            found[name, None] = JobStatus(name, "unknown", submitted_.id)
    return [_explained(one, folder) for one in found.values()], why


def _notes(folder: Path) -> Iterable[tuple[str, int | None, FailureNote]]:
    for file in sorted(folder.glob(f"*{ENDING}")):
        if (named := _NOTE.fullmatch(file.name)) and (note := read_note(file)):
            yield named[1], int(named[2]) if named[2] else None, note


def _explained(job: JobStatus, folder: Path) -> JobStatus:
    """With its log, of one that failed."""
    if job.state != "failed":
        return job
    ending = "" if job.task is None else f".{job.task}"
    log = next(iter(sorted(folder.glob(f"*-{job.name}{ending}.log"))), None)
    advice = job.advice or next(
        (text for key, text in _ADVICE.items() if job.reason.startswith(key)), _OTHERWISE
    )
    if log is None:
        return replace(job, advice=advice)
    return replace(job, log=str(log), lines=tail_of(log), advice=advice)


def tail_of(path: Path) -> tuple[str, ...]:
    """The last lines of a log, as a terminal may have them."""
    try:
        with os.fdopen(private.open_file(path, os.O_RDONLY), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            said = file.read(_TAIL).decode("utf-8", "replace")
    except OSError:
        return ()
    lines = [shortened(printable(line).rstrip(), 300) for line in said.splitlines()]
    return tuple([line for line in lines if line.strip()][-LINES:])
