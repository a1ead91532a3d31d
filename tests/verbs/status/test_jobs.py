"""What became of jobs: the queue's word, their own notes, and the ends of their logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.verbs.status.jobs import jobs_of, tail_of
from selfstudy.verbs.submitting import queue
from selfstudy.verbs.submitting.queue import NoSlurmError, Queued
from selfstudy.verbs.submitting.submit import run_name

RUN = Path("/runs/today")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    known = [{"name": f"{run_name(RUN)}.{part}-1", "id": at} for at, part in ((7, "shard"), (8, "merge"))]
    (tmp_path / "jobs.json").write_text(json.dumps({"jobs": known}))
    return tmp_path


def told(monkeypatch: pytest.MonkeyPatch, squeue: list[Queued], sacct: list[Queued]) -> None:
    monkeypatch.setattr(queue, "squeue", lambda names: squeue)
    monkeypatch.setattr(queue, "sacct", lambda ids: sacct)


def absent(*_: object) -> list[Queued]:
    raise NoSlurmError("there is no squeue on this machine")


def test_a_job_that_ran_out_of_time_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{run_name(RUN)}.shard-1"
    told(monkeypatch, [Queued(7, 2, name, "RUNNING")], [Queued(7, 1, name, "TIMEOUT", "0:0")])
    (folder / "02-shard-1.1.log").write_text("one\ntwo\n\nslurmstepd: \x1b[31mCANCELLED DUE TO TIME LIMIT\n")
    (first, second, merge), why = jobs_of(RUN, folder, 1)
    assert (first.state, second.state, merge.state, why) == ("failed", "running", "unknown", "")
    assert "cluster.time" in first.advice
    assert first.log.endswith("02-shard-1.1.log")
    assert first.lines[-1].endswith("CANCELLED DUE TO TIME LIMIT")
    assert "\x1b" not in "".join(first.lines)


def test_without_a_queue_the_notes_tell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "squeue", absent)
    monkeypatch.setattr(queue, "sacct", absent)
    (folder / "shard-1.3.failed.json").write_text('{"kind": "budget", "said": "the budget is used up"}')
    (folder / "merge-1.failed.json").write_text("{")
    (folder / "..failed.json").write_text('{"kind": "budget"}')
    (shard, merge), why = jobs_of(RUN, folder, 1)
    assert (shard.name, shard.task, shard.state, shard.said) == (
        "shard-1",
        3,
        "failed",
        "the budget is used up",
    )
    assert "raise `budget`" in shard.advice
    assert (merge.name, merge.state) == ("merge-1", "unknown")
    assert "no squeue" in why


def test_a_job_that_was_put_back_is_no_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{run_name(RUN)}.shard-1"
    told(monkeypatch, [Queued(7, 1, name, "PENDING", "BeginTime")], [Queued(7, 1, name, "PREEMPTED", "0:15")])
    (folder / "shard-1.1.failed.json").write_text('{"kind": "stopped"}')
    found, _ = jobs_of(RUN, folder, 1)
    assert (found[0].state, found[0].reason) == ("waiting", "BeginTime")


def test_a_log_of_any_size_is_read_from_its_end(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 100_000 + b"\n\xff\xfe last\n")
    assert tail_of(tmp_path / "log")[-1].endswith("last")
    assert all(len(line) <= 301 for line in tail_of(tmp_path / "log"))
    assert tail_of(tmp_path / "none") == ()


def test_jobs_of_others_and_of_rounds_that_are_none_are_not_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue counts anew one day; and somebody has mistyped a round."""
    told(monkeypatch, [], [Queued(7, None, "thesis", "FAILED", "1:0")])
    (folder / "ask-99.failed.json").write_text('{"kind": "error", "said": "the recipe has 1 rounds"}')
    found, _ = jobs_of(RUN, folder, 1)
    assert [(one.name, one.state) for one in found] == [("shard-1", "unknown"), ("merge-1", "unknown")]


def test_of_a_job_that_was_submitted_again_the_later_one_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{run_name(RUN)}.shard-1"
    told(monkeypatch, [], [Queued(12, 1, name, "COMPLETED", "0:0"), Queued(7, 1, name, "FAILED", "2:0")])
    found, _ = jobs_of(RUN, folder, 1)
    assert (found[0].id, found[0].state) == (12, "done")
