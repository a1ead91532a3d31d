"""Which jobs are still needed, by what a run has done."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from selfstudy.errors import ModelError, RunError
from selfstudy.loop.jobs import do_part
from selfstudy.recipe import ClusterBlock, Recipe
from selfstudy.run import Run
from selfstudy.run.resume import RoundPart
from selfstudy.verbs.submitting.chain import chain_of

from ...run.sharded import answer, begin, make_recipe


def names(run: Path, **cluster: int) -> list[str]:
    with Run.open(run, write=False) as opened:
        return [job.name for job in chain_of(opened, ClusterBlock.model_validate(cluster))]


def test_a_new_run_needs_all_of_all_rounds(tmp_path: Path) -> None:
    Run.create_or_resume(tmp_path / "run", Recipe(rounds=2)).close()
    assert names(tmp_path / "run", shards=3) == [
        *("01-ask-1", "02-shard-1", "03-merge-1", "04-teach-1", "05-verify-1"),
        *("06-ask-2", "07-shard-2", "08-merge-2", "09-teach-2", "10-verify-2"),
    ]
    assert names(tmp_path / "run") == [
        *("01-probe-1", "02-gather-1", "03-teach-1", "04-verify-1"),
        *("05-probe-2", "06-gather-2", "07-teach-2", "08-verify-2"),
    ]


def test_what_is_done_is_not_needed(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 3, 2)
    with Run.open(run, write=False) as opened:
        (shards, *_) = chain_of(opened, ClusterBlock(shards=3))
    assert (shards.name, shards.shards) == ("02-shard-1", (1, 3))
    with pytest.raises(RunError, match="shards of 3, not of 4"):
        names(run, shards=4)
    answer(run, 3, 1, 3)
    assert names(run, shards=3) == ["03-merge-1", "04-teach-1", "05-verify-1"]
    do_part(run, "merge", 1)
    assert names(run, shards=3) == ["04-teach-1", "05-verify-1"]
    assert names(run) == ["03-teach-1", "04-verify-1"]
    shutil.rmtree(run / "rounds")
    assert len(names(run, shards=3)) == 5


def test_rounds_after_one_that_gained_nothing_are_not_needed(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe(rounds=3)) as run:
        for stage in ("probe", "gather", "teach", "verify"):
            run.round(1).finish(stage)
        run.write_json(run.round(1).gate_file, {"promoted": False, "reasons": ["no"]})
    assert names(tmp_path / "run", shards=3) == []
    do_part(tmp_path / "run", "ask", 2)  # ends at once
    assert not (tmp_path / "run/rounds/2/questions.jsonl").exists()
    with pytest.raises(RunError, match="3 rounds, not 4"):
        do_part(tmp_path / "run", "ask", 4)


def test_a_round_waits_for_the_one_before_it(tmp_path: Path) -> None:
    Run.create_or_resume(tmp_path / "run", Recipe(rounds=2)).close()
    with pytest.raises(RunError, match="has not been verified"):
        do_part(tmp_path / "run", "ask", 2)


def test_shards_that_were_begun_are_not_forgotten(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 3, 2)
    with pytest.raises(RunError, match="shards of 3, not of 1"):
        names(run)


def test_so_many_rounds_are_submitted_together(tmp_path: Path) -> None:
    Run.create_or_resume(tmp_path / "run", Recipe(rounds=10**9)).close()
    assert names(tmp_path / "run")[-1] == "400-verify-100"


def test_what_processes_cannot_train_is_refused_by_the_first_job(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, teach={"method": "dpo", "launch": {"processes": 3}})
    Run.create_or_resume(tmp_path / "run", recipe).close()
    with pytest.raises(ModelError, match="cannot be shared out evenly"):
        do_part(tmp_path / "run", "ask", 1)


@pytest.mark.parametrize("part", ["ask", "probe"])
def test_what_cannot_be_taught_together_is_refused_before_the_first_question(
    part: RoundPart, tmp_path: Path
) -> None:
    recipe = make_recipe(tmp_path, teach={"method": "dpo", "launch": {"processes": 3}})
    Run.create_or_resume(tmp_path / "run", recipe).close()
    with pytest.raises(ModelError, match="cannot be shared out evenly"):
        do_part(tmp_path / "run", part, 1)
    assert not (tmp_path / "run/rounds/1/questions.jsonl").exists()
