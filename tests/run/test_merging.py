"""Shards joined: as an unsharded run, whichever ended first, whatever is killed, and only all of them."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest

from selfstudy.errors import ModelError, RunError
from selfstudy.files import jsonl
from selfstudy.loop.jobs import do_part
from selfstudy.records import Failure, Question
from selfstudy.run import Run, merging
from selfstudy.run.budget import spent_by_stage
from selfstudy.run.shards import QuestionShard

from .sharded import answer, begin, files, make_recipe, records, whole


def joined(path: Path, recipe_folder: Path, *order: int) -> Path:
    run = begin(path, make_recipe(recipe_folder))
    answer(run, len(order), *order)
    do_part(run, "merge", 1)
    return run


def test_joined_shards_are_the_unsharded_run(tmp_path: Path) -> None:
    alone = whole(tmp_path / "alone", make_recipe(tmp_path))
    run = joined(tmp_path / "run", tmp_path, 2, 1, 3)
    assert records(run) == records(alone)
    kinds = {one.kind for one in records(run)["Verdict"]}  # type: ignore[attr-defined]
    assert {"known", "unsure"} < kinds | {"misbelief"} or len(kinds) > 1
    assert [one.stage for one in records(run)["Failure"]] == ["probe"]  # type: ignore[attr-defined]
    again = joined(tmp_path / "again", tmp_path, 3, 2, 1)
    assert files(again) == files(run)
    assert not (run / "shards").exists()
    with Run.open(run, write=False) as one, Run.open(alone, write=False) as other:
        assert one.round(1).finished("gather")
        mine, theirs = spent_by_stage(one), spent_by_stage(other)
        assert {k: (v.calls, v.tokens) for k, v in mine.items()} == {
            k: (v.calls, v.tokens) for k, v in theirs.items()
        }
        assert one.seconds().keys() == other.seconds().keys()
        assert {k: v["questions"] for k, v in one.costs().items()} == {
            k: v["questions"] for k, v in other.costs().items()
        }


def test_missing_and_unfinished_shards_are_named(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    with pytest.raises(RunError, match="no shard"):
        do_part(run, "merge", 1)
    answer(run, 4, 1, 3)
    with pytest.raises(RunError, match=r"2 shards have not been begun: 2/4, 4/4"):
        do_part(run, "merge", 1)
    answer(run, 4, 2, 4)
    (run / "shards/004-of-004/rounds/1/gather.done").unlink()
    before = files(run)
    with pytest.raises(RunError, match=r"1 shards have not finished: 4/4"):
        do_part(run, "merge", 1)
    assert files(run) == before
    with pytest.raises(RunError, match="shards of 4, not of 2"):
        answer(run, 2, 1)
    (run / "shards/001-of-002").mkdir()
    with pytest.raises(RunError, match="different counts: 2, 4"):
        do_part(run, "merge", 1)


def test_a_shard_that_lost_records_is_not_taken_for_whole(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 2, 1, 2)
    verdicts = run / "shards/001-of-002/rounds/1/verdicts.jsonl"
    verdicts.write_bytes(verdicts.read_bytes()[:-10])
    with pytest.raises(RunError, match="not finished: 1/2"):
        do_part(run, "merge", 1)
    answer(run, 2, 1)
    do_part(run, "merge", 1)
    assert records(run) == records(whole(tmp_path / "alone", make_recipe(tmp_path)))


class Killed(BaseException):
    """As if the process had died here."""


def test_a_kill_at_any_write_changes_nothing_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = joined(tmp_path / "expected", tmp_path, 1, 2)
    begun = begin(tmp_path / "begun", make_recipe(tmp_path))
    answer(begun, 2, 1, 2)
    with Run.open(begun, write=False) as one:
        spent = {name: one.calls for name, one in spent_by_stage(one).items()}
    ended = False
    for at in range(100):
        run = tmp_path / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(begun, run)
        ended = not merge_killed(run, at, monkeypatch)
        do_part(run, "merge", 1)
        assert files(run) == files(expected), at
        with Run.open(run, write=False) as one, Run.open(expected, write=False) as other:
            calls = {name: found.calls for name, found in spent_by_stage(one).items()}
            assert calls == {name: found.calls for name, found in spent_by_stage(other).items()}, at
            assert calls != spent
            assert {k: v["questions"] for k, v in one.costs().items()} == {
                k: v["questions"] for k, v in other.costs().items()
            }, at
        if ended:
            break
    assert ended
    assert at > 8


def merge_killed(run: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Dies before the write number `at`; whether there was one."""
    left = [at]

    def dying(write):  # type: ignore[no-untyped-def]
        def one(*arguments, **named):  # type: ignore[no-untyped-def]
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return write(*arguments, **named)

        return one

    with monkeypatch.context() as patch:
        patch.setattr(jsonl, "replace_lines", dying(jsonl.replace_lines))
        patch.setattr(merging.own, "remove", dying(merging.own.remove))
        try:
            do_part(run, "merge", 1)
        except Killed:
            return True
    return False


def test_joining_again_does_nothing(tmp_path: Path) -> None:
    run = joined(tmp_path / "run", tmp_path, 1, 2)
    before = {file: file.stat().st_mtime_ns for file in run.rglob("*.jsonl")}
    do_part(run, "merge", 1)
    answer(run, 2, 1)  # a job that is put back into the queue too late
    assert {file: file.stat().st_mtime_ns for file in run.rglob("*.jsonl")} == before


def test_what_the_run_answered_itself_gives_way(tmp_path: Path) -> None:
    """Begun without shards, stopped, and gone on with in shards: of each question one answer."""
    recipe = make_recipe(tmp_path)
    run = begin(tmp_path / "run", recipe)
    other = whole(tmp_path / "other", recipe)
    shutil.copy(other / "rounds/1/answers.jsonl", run / "rounds/1")
    with Run.open(run) as main:
        main.round(1).append([Failure(stage="probe", item_id="proposal", message="asking")])
    answer(run, 2, 1, 2)
    do_part(run, "merge", 1)
    found = records(run)
    assert found["Answer"] == records(other)["Answer"]
    assert found["Failure"][0].item_id == "proposal"  # type: ignore[attr-defined]


def test_a_record_of_no_question_of_the_run_is_refused(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 2, 1, 2)
    file = run / "shards/001-of-002/rounds/1/verdicts.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"question_id":"', b'"question_id":"x'))
    with pytest.raises(RunError, match="does not have"):
        do_part(run, "merge", 1)


def test_a_record_of_another_shard_is_refused(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 2, 1, 2)
    one, two = (run / f"shards/00{n}-of-002/rounds/1/answers.jsonl" for n in (1, 2))
    two.write_bytes(two.read_bytes() + one.read_bytes())
    before = files(run)
    with pytest.raises(RunError, match="another shard has"):
        do_part(run, "merge", 1)
    assert files(run) == before


def test_a_poisonous_question_alone_in_a_shard_is_a_failure_and_all_of_them_an_error(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path)
    run = begin(tmp_path / "run", recipe)
    with Run.open(run, write=False) as main:
        ids = {one.text: one.id for one in main.round(1).iter(Question)}
    poisonous = ids.pop("How many people has Dunford?")
    count = next(
        count
        for count in range(2, 100)
        for number in range(1, count + 1)
        if QuestionShard(count, number).holds(poisonous)
        and not any(QuestionShard(count, number).holds(one) for one in ids.values())
    )
    answer(run, count, *range(1, count + 1))
    do_part(run, "merge", 1)
    assert records(run) == records(whole(tmp_path / "alone", recipe))
    silent = begin(tmp_path / "silent", recipe)
    (tmp_path / "script.yaml").write_text("nothing like it: [no]\n")
    answer(silent, 5, 1, 2, 3, 4, 5)  # of each fewer than make it plain that nothing comes of it
    with pytest.raises(ModelError, match="no question of any shard"):
        do_part(silent, "merge", 1)


def test_shards_of_other_questions_are_not_joined(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 2, 1, 2)
    with Run.open(run) as main:
        round_ = main.round(1)
        round_.rewrite(Question, round_.read(Question)[::-1])
    with pytest.raises(RunError, match="are not those of round 1"):
        do_part(run, "merge", 1)


def test_a_process_may_open_as_many_files_as_there_are_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 12, *range(1, 13))
    monkeypatch.setattr(merging, "_OPEN", 1)
    taken = {int(found.name) for found in Path("/proc/self/fd").iterdir()}
    few = [number for number in range(1000) if number not in taken][8]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
        do_part(run, "merge", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(records(run)["Verdict"]) > 10


def test_what_a_kill_left_of_joined_shards_is_not_of_the_next_round(tmp_path: Path) -> None:
    """Killed after the last marker, and the job is not given again: its work is done."""
    recipe = make_recipe(tmp_path, rounds=2)
    run = begin(tmp_path / "run", recipe)
    answer(run, 2, 1, 2)
    left = shutil.copytree(run / "shards", tmp_path / "left")
    do_part(run, "merge", 1)
    shutil.copytree(left, run / "shards")
    with Run.open(run) as opened:
        opened.round(1).finish("teach")
        opened.round(1).finish("verify")
        opened.write_json(opened.round(1).gate_file, {"promoted": True, "reasons": []})
    do_part(run, "ask", 2)
    assert not (run / "shards").exists()


def test_more_shards_than_files_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "_OPEN", 1)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    run = joined(tmp_path / "run", tmp_path, 1, 2, 3)
    assert len(records(run)["Verdict"]) > 10
    assert len(list(Path("/proc/self/fd").iterdir())) <= opened
