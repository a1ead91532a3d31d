"""Programs of others: absent, slow, failing, or saying what nobody asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selfstudy.verbs.submitting import queue
from selfstudy.verbs.submitting.queue import NoSlurmError, Queued

from .slurm import put


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in ("sbatch", "squeue", "sacct"):
        put(folder / name, "#!/bin/sh\n")
    return folder


def says(programs: Path, name: str, text: str, ending: str = "") -> None:
    (programs / f"{name}.txt").write_text(text)
    put(programs / name, f"#!/bin/sh\n/bin/cat {programs}/{name}.txt\n{ending}\n")


def test_the_number_of_a_job(programs: Path) -> None:
    says(programs, "sbatch", "4711;cluster-1\n")
    assert queue.sbatch(programs / "x.sbatch", None) == 4711


@pytest.mark.parametrize(
    "said", ["", "Submitted batch job 12", "12; rm -rf /", "12\n13\n", "99999999999", "\x1b[31m12"]
)
def test_anything_else_is_no_number(programs: Path, said: str) -> None:
    says(programs, "sbatch", said)
    with pytest.raises(NoSlurmError, match="did not say the number"):
        queue.sbatch(programs / "x.sbatch", None)


def test_what_is_asked_of_sbatch(programs: Path) -> None:
    put(programs / "sbatch", f'#!/bin/sh\nprintf "%s\\n" "$@" > {programs}/asked\necho 12\n')
    queue.sbatch(programs / "a b.sbatch", 11)
    asked = (programs / "asked").read_text().splitlines()
    assert asked == ["--parsable", "--dependency=afterok:11", str(programs / "a b.sbatch")]


def test_jobs_and_arrays(programs: Path) -> None:
    said = (
        "7_2|today.0a.shard-1|RUNNING|None\n7_[3-4,9%2]|today.0a.shard-1|PENDING|Resources\n"
        "8|x.y|CANCELLED by 0|\n"
    )
    says(programs, "squeue", said)
    found = queue.squeue(["today.0a.shard-1"])
    assert found[0] == Queued(7, 2, "today.0a.shard-1", "RUNNING", "None")
    assert [one.task for one in found[1:4]] == [3, 4, 9]
    assert [one.outcome for one in found] == ["running", "waiting", "waiting", "waiting", "failed"]


def test_an_array_that_was_cancelled_before_it_began(programs: Path) -> None:
    says(programs, "sacct", "7_[1-2]|x.y|CANCELLED by 1000|0:0\n")
    assert [(one.task, one.outcome) for one in queue.sacct([7])] == [(1, "failed"), (2, "failed")]


@pytest.mark.parametrize(
    "said",
    ["slurm: hello\n", "7|a|RUNNING\n", "7|a b|RUNNING|x\n", "x|a|RUNNING|x\n", "7|a|run|x\n", "7_[1-9\n"],
)
def test_what_squeue_does_not_say_is_refused(programs: Path, said: str) -> None:
    says(programs, "squeue", said)
    with pytest.raises(NoSlurmError, match="no line of its own"):
        queue.squeue(["a"])


def test_a_hostile_array_is_bounded() -> None:
    assert len(queue._tasks("1-99999999,a-b,-,5-")) < 200_010


def test_one_that_fails_is_named_with_what_it_said(programs: Path) -> None:
    put(programs / "sbatch", "#!/bin/sh\necho 'error: invalid \033[2Jpartition' >&2\nexit 1\n")
    with pytest.raises(NoSlurmError, match=r"invalid .*partition") as raised:
        queue.sbatch(programs / "x", None)
    assert "\033" not in str(raised.value)


def test_one_that_is_absent_is_named_and_the_way_without_it(programs: Path) -> None:
    (programs / "sbatch").unlink()
    with pytest.raises(NoSlurmError, match="there is no sbatch on this machine") as raised:
        queue.sbatch(programs / "x", None)
    assert "--dry-run" in str(raised.value)
    with pytest.raises(NoSlurmError, match="no sbatch"):
        queue.require("squeue", "sbatch")


def test_one_that_never_answers_is_not_waited_for(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs / "squeue", "#!/bin/sh\nexec /bin/sleep 60\n")
    monkeypatch.setattr(queue, "SECONDS", 0.3)
    with pytest.raises(NoSlurmError, match="has not answered"):
        queue.squeue(["a"])


def test_an_array_that_was_ended_before_it_began(programs: Path) -> None:
    says(programs, "sacct", "7_[1-2]|today.0a.shard-1|CANCELLED by 1000|0:0\n8|x|COMPLETED|0:0\n")
    assert [one.outcome for one in queue.sacct([7, 8])] == ["failed", "failed", "done"]


def test_jobs_of_other_users_are_not_asked_for(programs: Path) -> None:
    put(programs / "squeue", f'#!/bin/sh\nprintf "%s\\n" "$@" > {programs}/asked\n')
    queue.squeue(["a"])
    assert f"--user={os.getuid()}" in (programs / "asked").read_text().splitlines()
