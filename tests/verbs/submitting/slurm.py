"""A stand-in for Slurm on PATH: runs jobs in order when told to, honours dependencies, arrays and requeueing.

Real programs in a folder, so that what calls them is tested as it is; their state is a JSON file.
"""

from __future__ import annotations

import json
import re
import shlex
import stat
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from selfstudy.cli import app

PROGRAM = r"""#!{python} -S
import json, re, sys
from pathlib import Path
state = Path({state!r})
jobs = json.loads(state.read_text()) if state.exists() else []
program, words = Path(sys.argv[0]).name, sys.argv[1:]
if program == "sbatch":
    text = Path(words[-1]).read_text()
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)=?(.*)$", text, re.M))
    after = next((int(w.rpartition(":")[2]) for w in words if w.startswith("--dependency=afterok:")), None)
    assert "--parsable" in words, words
    spans = options.get("array", "").partition("%")[0]
    tasks = [n for span in spans.split(",") if span
             for n in range(int(span.split("-")[0]), int(span.split("-")[-1]) + 1)]
    number = len(jobs) + 101
    jobs.append(dict(id=number, name=options["job-name"], file=words[-1], after=after, log=options["output"],
                     tasks={{str(n): "PENDING" for n in tasks or [""]}}))
    state.write_text(json.dumps(jobs))
    print(f"{{number}};here")
elif program == "squeue":
    names = next(w.partition("=")[2] for w in words if w.startswith("--name=")).split(",")
    for job in jobs:
        for task, how in job["tasks"].items():
            if job["name"] in names and how != "COMPLETED":
                print(f"{{job['id']}}{{'_' * bool(task)}}{{task}}|{{job['name']}}|{{how}}|Why")
else:
    sys.exit("Slurm accounting storage is disabled")
"""


class StandIn:
    """Its programs in a folder, and what it has been given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state = folder / "state.json"
        folder.mkdir()
        for name in ("sbatch", "squeue", "sacct"):
            put(folder / name, PROGRAM.format(python=sys.executable, state=str(self._state)))

    @property
    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._state.read_text()) if self._state.exists() else []
        return found

    def run(self, last: int | None = None) -> None:
        """Runs what waits, in order of its numbers; what waited for a job that failed is cancelled."""
        jobs = self.jobs
        by_id = {job["id"]: job for job in jobs}
        for job in jobs:
            if last is not None and job["id"] > last:
                break
            before = by_id.get(job["after"])
            good = before is None or all(how == "COMPLETED" for how in before["tasks"].values())
            for task, how in job["tasks"].items():
                if how == "PENDING":
                    job["tasks"][task] = self._one(job, task) if good else "CANCELLED"
        self._state.write_text(json.dumps(jobs))

    def _one(self, job: dict[str, Any], task: str) -> str:
        environment = {"SLURM_JOB_ID": str(job["id"]), "SLURM_ARRAY_TASK_ID": task}
        log = Path(job["log"].replace("%a", task))
        # in this process: to import everything takes seconds each time (benchmarks/on_slurm has real ones)
        last = Path(job["file"]).read_text().splitlines()[-1].replace("${SLURM_ARRAY_TASK_ID}", task)
        words = shlex.split(last)
        assert words[:6] == ["exec", sys.executable, "-P", "-m", "selfstudy", "job"]
        result = CliRunner(env=environment).invoke(app, words[5:])
        with log.open("a") as file:
            file.write(result.output)
        return "FAILED" if result.exit_code else "COMPLETED"


def put(path: Path, text: str) -> None:
    """A program."""
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def directives(text: str) -> dict[str, str]:
    """The #SBATCH lines of a file."""
    return dict(re.findall(r"^#SBATCH --([a-z-]+)=?(.*)$", text, re.MULTILINE))
