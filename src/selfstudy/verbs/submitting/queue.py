"""sbatch, squeue and sacct: other people's programs, called without a shell, waited for with a limit.

What they say is taken only in the one form that they were asked for.  Knows nothing of runs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfstudy.errors import RunError
from selfstudy.text import clean, shortened

SECONDS = 60.0
"""How long each of them may take."""
_LARGEST = 64 * 2**20
"""Bytes of an answer that are read."""
_SUBMITTED = re.compile(r"([0-9]{1,10})(?:;[\w.-]{1,100})?\s*")
_LINE = re.compile(
    r"([0-9]{1,10})(?:_([0-9]{1,10}))?\|([\w.@+=:-]{1,300})\|([A-Z_]{2,30})(?: by [0-9]+)?\|(.{0,500})"
)
_SOME = re.compile(
    r"([0-9]{1,10})_\[([0-9,:%-]{1,100000})\]\|([\w.@+=:-]{1,300})\|([A-Z_]{2,30})(?: by [0-9]+)?\|(.{0,500})"
)
QueueReply = Literal["waiting", "running", "done", "failed"]
_WAITING = frozenset(
    ["PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT", "CONFIGURING"]
)
_RUNNING = frozenset(["RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING", "RESIZING"])


class NoSlurmError(RunError):
    """A program of Slurm is not there, or does not answer."""


@dataclass(frozen=True)
class Queued:
    """A job, or one of an array, as the queue has it.

    Attributes:
        task: its number in the array; None: it is no array's.
        state: in Slurm's words, such as PENDING.
        reason: why it waits, or how it ended.
    """

    id: int
    task: int | None
    name: str
    state: str
    reason: str = ""

    @property
    def outcome(self) -> QueueReply:
        if self.state in _WAITING:
            return "waiting"
        if self.state in _RUNNING:
            return "running"
        return "done" if self.state == "COMPLETED" else "failed"


def require(*programs: str) -> None:
    """Raises NoSlurmError: one of them is not on this machine."""
    for program in programs:
        if shutil.which(program) is None:
            raise _absent(program)


def sbatch(file: Path, after: int | None) -> int:
    """Submits a file; returns the number of its job.

    Args:
        after: the job without whose success it must not begin.

    Raises:
        NoSlurmError: sbatch is not there, refuses it, or says something else than a number.
    """
    dependency = [] if after is None else [f"--dependency=afterok:{after}"]
    said = _ask(["sbatch", "--parsable", *dependency, str(file)])
    found = _SUBMITTED.fullmatch(said)
    if found is None:
        raise NoSlurmError(
            f"sbatch did not say the number of the job: {shortened(clean(said), 200)!r}",
            "look at `squeue --me`, and end what should not be there with scancel",
        )
    return int(found[1])


def squeue(names: Sequence[str]) -> list[Queued]:
    """The jobs of these names that wait or run, and those that ended a moment ago; every one of an array.

    Raises:
        NoSlurmError: it is not there, or does not answer as it should.
    """
    if not names:
        return []
    said = _ask(
        [
            "squeue",
            "--noheader",
            "--array",
            "--states=all",
            "--format=%i|%j|%T|%r",
            f"--name={','.join(names)}",
        ]
    )
    return _read("squeue", said)


def sacct(ids: Sequence[int]) -> list[Queued]:
    """How these jobs ended, or stand, by the queue's accounts; none where it keeps none.

    Raises:
        NoSlurmError: it is not there, or does not answer as it should.
    """
    if not ids:
        return []
    wanted = ",".join(map(str, ids))
    said = _ask(
        [
            *("sacct", "--noheader", "--parsable2", "--allocations", "--array"),
            *("--format=JobID,JobName%300,State,ExitCode", f"--jobs={wanted}"),
        ]
    )
    return _read("sacct", said)


def _read(program: str, said: str) -> list[Queued]:
    found: list[Queued] = []
    for line in filter(None, (line.strip() for line in said.splitlines())):
        if one := _LINE.fullmatch(line):
            found.append(Queued(int(one[1]), int(one[2]) if one[2] else None, one[3], one[4], one[5]))
        elif some := _SOME.fullmatch(line):  # tasks that nobody has started yet
            found += [Queued(int(some[1]), task, some[3], some[4], some[5]) for task in _tasks(some[2])]
        else:
            raise NoSlurmError(
                f"{program} said what is no line of its own: {shortened(clean(line), 200)!r}",
                f"see what `{program}` prints; a wrapper around it may add something",
            )
    return found


def _tasks(spelled: str) -> list[int]:
    """Numbers from 1-3,7%2."""
    found: list[int] = []
    for span in spelled.partition("%")[0].split(","):
        first, _, last = span.partition("-")
        if first.isdigit() and (last.isdigit() or not last):
            found += range(int(first), min(int(last or first), int(first) + 100_000) + 1)
    return found


def _ask(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        raise _absent(command[0]) from None
    except subprocess.TimeoutExpired:
        raise NoSlurmError(
            f"{command[0]} has not answered for {SECONDS:g} seconds", "try again when the queue is well"
        ) from None
    except OSError as error:
        raise NoSlurmError(f"{command[0]} cannot be run: {error.strerror}", "see what it is") from None
    if done.returncode:
        said = shortened(clean(done.stderr[:2000].decode(errors="replace")).strip(), 400) or "nothing"
        raise NoSlurmError(
            f"{command[0]} failed ({done.returncode}); it said: {said}",
            "change `cluster`, or ask who runs it",
        )
    if len(done.stdout) > _LARGEST:
        raise NoSlurmError(f"{command[0]} said {len(done.stdout):,} bytes", "see what it prints")
    return done.stdout.decode(errors="replace")


def _absent(program: str) -> NoSlurmError:
    return NoSlurmError(
        f"there is no {program} on this machine",
        "give the command where the cluster's programs are; --dry-run writes the files without them",
    )
