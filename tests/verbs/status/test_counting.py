"""Lines are counted, a torn one not; of a very large file the number is about right, and called so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selfstudy.recipe import Recipe
from selfstudy.records import Answer, Question, Score
from selfstudy.run import Run
from selfstudy.verbs.status import counting
from selfstudy.verbs.status.counting import StepCount, lines_of, seconds_left, steps_of

from ...run.sharded import answer, begin, make_recipe


def test_whole_lines_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    assert lines_of(file) == (0, False)
    file.write_bytes(b"{}\n" * 70_000 + b'{"torn')
    assert lines_of(file) == (70_000, False)


def test_what_is_no_file_counts_as_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # nobody waits for it
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    assert [lines_of(tmp_path / name) for name in ("pipe", "link", "folder")] == [(0, False)] * 3


def test_a_very_large_file_is_told_from_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "COUNTED", 2**20)
    file = tmp_path / "x.jsonl"
    file.write_bytes((b'{"text": "' + b"x" * 80 + b'"}\n') * 50_000)
    found, about = lines_of(file)
    assert about
    assert found == pytest.approx(50_000, rel=0.02)


def test_the_steps_of_a_run_and_of_a_shard(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path)
    run = begin(tmp_path / "run", recipe)
    with Run.open(run, write=False) as opened:
        assert steps_of(opened.round(1), recipe) == (StepCount("asking", 15, 15),)
    answer(run, 1, 1)
    from selfstudy.run.shards import QuestionShard, ShardRun

    with Run.open(run, write=False) as opened:
        part = ShardRun(opened, 1, QuestionShard(1, 1), None)
        assert steps_of(part.round(1), recipe) == (
            *(StepCount("answering", 14, 15), StepCount("scoring", 14, 14), StepCount("gathering", 14, 14)),
        )


def test_the_members_of_an_ensemble_score_too(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"probe": {"scorer": "ensemble"}})  # of two
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        for kind, count in ((Answer, 2), (Score, 6)):
            (run.round(1).path / kind.file).write_bytes(b"{}\n" * count)
        assert StepCount("scoring", 6, 6) in steps_of(run.round(1), recipe)


def test_time_left_is_told_only_where_one_session_did_all_of_the_step(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", make_recipe(tmp_path)) as run:
        round_ = run.round(1)
        times = {run.lock_file: 100, round_.path / Question.file: 200, round_.path / Answer.file: 300}
        for file, at in times.items():
            file.touch()
            os.utime(file, (at, at))
        step = StepCount("answering", 25, 100)
        assert seconds_left(round_, step) == pytest.approx(300)
        assert seconds_left(round_, StepCount("answering", 0, 100)) is None
        assert seconds_left(round_, StepCount("answering", 100, 100)) is None
        assert seconds_left(round_, StepCount("verifying", 1, None)) is None
        os.utime(run.lock_file, (250, 250))  # another session began in the middle
        assert seconds_left(round_, step) is None
