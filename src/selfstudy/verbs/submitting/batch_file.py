"""A job as a file for sbatch: plain, readable, and with nothing in it that a shell or Slurm could misread.

What comes out of a recipe was checked there (recipe/scale.py); paths are checked here, for lines of #SBATCH
cannot be quoted safely.  No value of a variable is written, but that of HF_HUB_OFFLINE.  Knows nothing of
runs.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from selfstudy.errors import RecipeError, RunError
from selfstudy.recipe import ClusterBlock
from selfstudy.verbs.submitting.chain import SAYS, WITHOUT_CARDS, ChainJob

OURS = frozenset(
    [
        "job-name",
        "partition",
        "account",
        "qos",
        "constraint",
        "time",
        "nodes",
        "ntasks",
        "cpus-per-task",
        "mem",
        "gres",
        "array",
        "output",
        "error",
        "open-mode",
        "requeue",
        "no-requeue",
        "kill-on-invalid-dep",
        "dependency",
        "wrap",
        "export-file",
        "parsable",
        "test-only",
        "wait",
    ]
)
"""Options that are set here, or by which a chain would fall apart; `cluster.options` may have others."""
_FREE = frozenset(["export"])
"""What begins as one of these, but is an option of its own; else Slurm takes a beginning for the whole."""
_PLAIN_PATH = re.compile(r"/[\w./+@:=,~-]{1,500}")
_OFFLINE = "HF_HUB_OFFLINE"


def check_path(path: Path) -> Path:
    """A path that can stand in a line of #SBATCH.

    Raises:
        RunError: it has white space, quotes, or what Slurm replaces.
    """
    if not _PLAIN_PATH.fullmatch(str(path)):
        raise RunError(
            f"the path {str(path)[:300]!r} cannot be written into a batch file: only letters, digits and "
            "_ . / + @ : = , ~ - are safe there",
            "give the run another folder with --run DIR",
        )
    return path


def check_options(options: Sequence[str]) -> None:
    """Raises RecipeError: one of `cluster.options` is set by a key of its own, or by us."""
    for option in options:
        name = option.removeprefix("--").partition("=")[0]
        if name in OURS or (name not in _FREE and any(ours.startswith(name) for ours in OURS)):
            raise RecipeError(
                f"cluster.options: {option[:100]} is not free",
                "leave it out; see the other keys of `cluster`",
            )


def batch_file(job: ChainJob, cluster: ClusterBlock, run: Path, folder: Path, name: str) -> str:
    """The text of a job's file.

    Args:
        run: the run directory.
        folder: where logs go.
        name: of the job, in the queue.

    Raises:
        RunError: a path cannot be written safely.
    """
    cards = 0 if job.part in WITHOUT_CARDS else cluster.gpus
    given: dict[str, str | int | None] = {
        "job-name": name,
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "constraint": cluster.constraint,
        "time": cluster.time,
        "nodes": 1,
        "ntasks": 1,
        "cpus-per-task": cluster.cpus,
        "mem": cluster.memory,
        "gres": f"gpu:{cards}" if cards else None,
        "array": _array(job.shards, cluster.at_once) if job.shards else None,
        "output": str(log_file(job, check_path(folder))),
    }
    options = [f"--{key}={value}" for key, value in given.items() if value is not None]
    options += ["--open-mode=append", "--requeue", "--kill-on-invalid-dep=yes"]
    options += [f"--{option.removeprefix('--')}" for option in cluster.options]
    if not any(option.startswith("--export=") for option in options):
        options.append("--export=ALL")
    about = f"{SAYS[job.part][0].upper()}{SAYS[job.part][1:]}"
    modules = " ".join(shlex.quote(one) for one in cluster.modules)
    offline = os.environ.get(_OFFLINE, "")
    lines = [
        "#!/bin/bash",
        f"# Written by `selfstudy submit`, for round {job.round}.  {about}.",
        *(f"#SBATCH {option}" for option in options),
        "set -eo pipefail",
        f"module load {modules}" if modules else "",
        *cluster.setup,
        "set -u  # only now: what is loaded above may use variables that are not set",
        'export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}"',
        f"export {_OFFLINE}={shlex.quote(offline)}" if offline else "",
        f"exec {_command(job, run)}",
    ]
    return "".join(f"{line}\n" for line in lines if line)


def log_file(job: ChainJob, folder: Path, shard: int | None = None) -> Path:
    """The log of a job; of an array with Slurm's pattern, or that of one of its shards."""
    ending = "" if job.part != "shard" else f".{'%a' if shard is None else shard}"
    return folder / f"{job.name}{ending}.log"


def _command(job: ChainJob, run: Path) -> str:
    # -P: whatever lies where the job begins is not imported in place of what is meant
    words = [sys.executable, "-P", "-m", "selfstudy", "job", str(check_path(run)), job.part]
    words += ["--round", str(job.round)]
    line = shlex.join(words)
    return f'{line} --shard "${{SLURM_ARRAY_TASK_ID}}/{job.count}"' if job.part == "shard" else line


def _array(numbers: Sequence[int], at_once: int | None) -> str:
    """As Slurm has it: 1-3,7,9-12%4."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    said = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    return said if at_once is None else f"{said}%{at_once}"
