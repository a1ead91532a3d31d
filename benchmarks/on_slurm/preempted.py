"""A small demo as jobs of a real Slurm of one node, preempted and put back, against the same run without it.

    python benchmarks/on_slurm/preempted.py                  three shards; needs Debian's slurm-wlm and munge
    python benchmarks/on_slurm/preempted.py --keep FOLDER    and keeps everything there

Submits the chain with `selfstudy submit`; while a shard answers, a job in a partition of higher priority
takes its place, so that Slurm sends SIGTERM and puts it back; another is put back with `scontrol requeue`.
Both go on when their turn comes, for which Slurm has them wait two minutes.  Then it compares what the shards
wrote with a run in one process: texts, scores and verdicts must be equal, log-probabilities may differ in
their last digits, for batches are cut otherwise.  Exit code 1 if anything differs, or nothing was preempted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

from one_node import one_node, said

from selfstudy.loop import Study
from selfstudy.recipe.file import load_recipe
from selfstudy.records import Answer, Evidence, Question, Reference, Score, Verdict
from selfstudy.run import Run

DEMO = Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))
SMALL = {
    "probe.ask.0.count": 36,
    "probe.ask.1.count": 3,
    "probe.ask.2.count": 3,
    "probe.samples": 4,
    "answering.block_size": 4,
    "teach.wordings": 1,
    "teach.sft.epochs": 1,
    "verify.samples": 2,
    "verify.repeats": 0,
    "verify.max_questions": 20,
}
SHARDS = 3
CLUSTER = f"{{partition: low, cpus: 1, at_once: 1, shards: {SHARDS}, time: '1:00:00'}}"
LONGEST = 1_500
"""Seconds until the whole chain must have ended."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--keep", type=Path, help="a new folder for everything that is written")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="selfstudy-slurm-") as temporary:
        folder = (wanted.keep or Path(temporary)).absolute()
        (folder / "node").mkdir(parents=True)
        run = folder / "run"
        began = time.monotonic()
        with one_node(folder / "node"):
            print(f"a node is up after {time.monotonic() - began:.0f} s", flush=True)
            submit(run)
            restarts = preempt_and_wait(run)
        took = time.monotonic() - began
        alone = in_one_process(folder / "alone")
        differences = compare(run, alone)
        print(f"\nthe chain ended after {took:.0f} s; restarts: {json.dumps(restarts)}")
        print("\n".join(differences) or "texts, scores, evidence and verdicts are those of one process")
        return 1 if differences or not sum(restarts.values()) else 0


def submit(run: Path) -> None:
    changes = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "selfstudy", "submit", str(DEMO), "--slurm", "--run", str(run)]
    print(f"$ selfstudy submit demo.yaml --slurm --run {run} --set cluster='{CLUSTER}' ...", flush=True)
    done = subprocess.run(
        [*command, *changes, "--set", f"cluster={CLUSTER}"], capture_output=True, text=True, check=False
    )
    print(done.stdout + done.stderr, flush=True)
    done.check_returncode()


def preempt_and_wait(run: Path) -> dict[str, int]:
    """Disturbs two shards, once each has answered something; returns how often which job was put back."""
    waiting = {"preempted by a job in `high`": 1, "scontrol requeue": 2}
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        jobs = queue()
        for how, shard in list(waiting.items()):
            answers = run / f"shards/{shard:03d}-of-{SHARDS:03d}/rounds/1/answers.jsonl"
            job = next((one for one in jobs if one["task"] == str(shard) and one["state"] == "RUNNING"), None)
            if job is not None and answers.is_file() and answers.stat().st_size:
                del waiting[how]
                lines = answers.read_bytes().count(b"\n")
                print(f"shard {shard}/{SHARDS} has {lines} answers: {how}", flush=True)
                if shard == 1:
                    said("sbatch", "-p", "high", "-n2", "-t1", "-o", "/dev/null", "--wrap", "sleep 2")
                else:
                    said("scontrol", "requeue", job["id"])
        if all(job["state"] not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING") for job in jobs):
            break
        time.sleep(0.2)
    else:
        raise RuntimeError(f"the chain has not ended after {LONGEST} s")
    status = subprocess.run(
        [sys.executable, "-m", "selfstudy", "status", str(run)], capture_output=True, text=True, check=False
    )
    print(f"$ selfstudy status {run}\n{status.stdout}{status.stderr}", flush=True)
    return restarts()


def queue() -> list[dict[str, str]]:
    lines = said("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%r").splitlines()
    rows = [line.split("|") for line in lines]
    return [
        {"id": row[0], "task": row[0].partition("_")[2], "state": row[1], "reason": row[2]} for row in rows
    ]


def restarts() -> dict[str, int]:
    """Of each job that was put back."""
    found = {}
    for line in said("scontrol", "--oneliner", "show", "job").splitlines():
        fields = dict(word.partition("=")[::2] for word in line.split())
        if int(fields.get("Restarts", 0)):
            name = fields["JobName"].rpartition(".")[2]
            found[f"{name}.{fields.get('ArrayTaskId', '')}"] = int(fields["Restarts"])
    return found


def in_one_process(path: Path) -> Path:
    recipe = load_recipe(DEMO, [f"{key}={value}" for key, value in SMALL.items()])
    with Run.create_or_resume(path, recipe) as run, Study(run) as study:
        study.probe()
        study.gather()
    return path


def compare(one: Path, other: Path) -> list[str]:
    found = []
    for kind in (Question, Answer, Score, Evidence, Reference, Verdict):
        with Run.open(one, write=False) as a, Run.open(other, write=False) as b:
            mine, theirs = ({r.id: texts(r) for r in run.round(1).read(kind)} for run in (a, b))
        same = sum(mine.get(key) == value for key, value in theirs.items())
        print(
            f"{kind.__name__:<10} {len(theirs):>4} in one process, {len(mine):>4} in shards, {same:>4} equal"
        )
        if mine != theirs:
            found.append(f"{kind.__name__}: {len(theirs) - same} differ")
    return found


def texts(record: Any) -> Any:
    """A record without log-probabilities, and its other floats to six digits."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items() if key != "logprob"}
        if isinstance(value, list | tuple):
            return [plain(part) for part in value]
        return f"{value:.6f}" if isinstance(value, float) else value

    return plain(record.model_dump())


if __name__ == "__main__":
    sys.exit(main())
