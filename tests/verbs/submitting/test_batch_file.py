"""A batch file is plain, whole, and holds nothing that a shell or Slurm could read as more than it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from selfstudy.errors import RecipeError, RunError
from selfstudy.recipe import ClusterBlock
from selfstudy.verbs.submitting.batch_file import batch_file, check_options, check_path
from selfstudy.verbs.submitting.chain import ChainJob

SHARD = ChainJob(2, "shard", 1, 8, (1, 2, 3, 5, 7, 8))
FULL = ClusterBlock(
    partition="gpu",
    account="lab-7",
    qos="long",
    constraint="a100",
    time="4:00:00",
    gpus=2,
    cpus=6,
    memory="64G",
    shards=8,
    at_once=3,
    modules=("cuda/12.4", "python/3.12"),
    setup=('source "$HOME/my venv/bin/activate"',),
    options=("reservation=team",),
)
EXPECTED = """\
#!/bin/bash
# Written by `selfstudy submit`, for round 1.  Answers, scores and looks up a part of the questions.
#SBATCH --job-name=today.0a1b2c3d.shard-1
#SBATCH --partition=gpu
#SBATCH --account=lab-7
#SBATCH --qos=long
#SBATCH --constraint=a100
#SBATCH --time=4:00:00
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=6
#SBATCH --mem=64G
#SBATCH --gres=gpu:2
#SBATCH --array=1-3,5,7-8%3
#SBATCH --output=/runs/today/slurm/02-shard-1.%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --kill-on-invalid-dep=yes
#SBATCH --reservation=team
#SBATCH --export=ALL
set -eo pipefail
module load cuda/12.4 python/3.12
source "$HOME/my venv/bin/activate"
set -u  # only now: what is loaded above may use variables that are not set
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}"
export HF_HUB_OFFLINE=1
exec '/opt/my py/python' -P -m selfstudy job /runs/today shard --round 1 --shard "${SLURM_ARRAY_TASK_ID}/8"
"""


def written(job: ChainJob, cluster: ClusterBlock, run: str = "/runs/today") -> str:
    return batch_file(job, cluster, Path(run), Path(run) / "slurm", "today.0a1b2c3d.shard-1")


def is_bash(text: str) -> bool:
    return subprocess.run(["bash", "-n"], input=text.encode(), check=False, timeout=20).returncode == 0


def test_the_whole_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my py/python")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-seen-0912")
    assert written(SHARD, FULL) == EXPECTED
    assert is_bash(EXPECTED)


def test_what_is_left_out_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    text = written(ChainJob(5, "verify", 1), ClusterBlock())
    assert not any(
        word in text for word in ("partition", "gres", "array", "module", "HF_HUB", "--mem", "--shard")
    )
    assert text.endswith("verify --round 1\n")
    assert is_bash(text)


def test_joining_takes_no_cards() -> None:
    assert "gres" not in written(ChainJob(3, "merge", 1, 8), FULL)


def test_an_export_of_their_own_takes_the_place_of_ours() -> None:
    text = written(ChainJob(1, "ask", 1), ClusterBlock(options=("export=NONE",)))
    assert text.count("--export") == 1
    assert "#SBATCH --export=NONE" in text


@pytest.mark.parametrize(
    "path",
    [
        *("/runs/to day", "/runs/it's", '/runs/"x"', "/runs/a\n#SBATCH --uid=0", "/runs/%j", "/runs/$(id)"),
        *(
            "/runs/`id`",
            "/runs/a;b",
            "/runs/a\\b",
            "/runs/#x",
            "/runs/a\tb",
            "runs/today",
            "/runs/\u2028x",
            "/x" * 400,
        ),
    ],
)
def test_paths_that_would_break_a_line_are_refused(path: str) -> None:
    with pytest.raises(RunError, match="cannot be written into a batch file"):
        check_path(Path(path))
    with pytest.raises(RunError):
        written(SHARD, ClusterBlock(), path)


@pytest.mark.parametrize("path", ["/runs/today", "/home/m.müller/läufe/run-1_a+b@c=d:e,f~g"])
def test_other_paths_are_not(path: str) -> None:
    assert check_path(Path(path)) == Path(path)
    assert is_bash(written(SHARD, FULL, path))


@pytest.mark.parametrize(
    "option",
    ["array=1-9", "output=/etc/passwd", "wrap=id", "dependency=afterok:1", "requeue", "outp=x", "arr=1-9"],
)
def test_options_that_are_ours_are_refused(option: str) -> None:
    with pytest.raises(RecipeError, match="is not free"):
        check_options([option])
