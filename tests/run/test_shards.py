"""A shard has its questions and no others, and everything that was settled for the run from where it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.errors import BudgetError, RunError
from selfstudy.loop.jobs import do_part
from selfstudy.records import Question, digest
from selfstudy.run import Run
from selfstudy.run.shards import QuestionShard, ShardRun, open_shard, shards_in

from .sharded import answer, begin, make_recipe


@given(st.text(max_size=40), st.integers(min_value=1, max_value=10_000))
def test_every_question_is_of_exactly_one_shard(name: str, count: int) -> None:
    holding = int(digest("shard", name), 16) % count + 1
    assert QuestionShard(count, holding).holds(name)
    assert not QuestionShard(count, holding % count + 1).holds(name) or count == 1


@pytest.mark.parametrize("spelled", ["0/3", "4/3", "3", "a/b", "1/10001", "1/3\n", "-1/3", "1/3/4", ""])
def test_what_is_no_shard_is_refused(spelled: str) -> None:
    with pytest.raises(RunError):
        QuestionShard.parse(spelled)


def test_shards_share_out_all_questions_in_their_order(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    with Run.open(run, write=False) as main:
        asked = main.round(1).read(Question)
        found: list[Question] = []
        for number in (1, 2, 3):
            with open_shard(main, 1, QuestionShard(3, number)) as part:
                mine = part.round(1).read(Question)
                assert mine == [one for one in asked if part.shard.holds(one.id)]
                found += mine
        assert sorted(one.id for one in found) == sorted(one.id for one in asked)
        assert [str(one) for one in shards_in(main)] == ["1/3", "2/3", "3/3"]


def test_what_is_settled_is_read_in_the_run(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    with Run.open(run, write=False) as main, open_shard(main, 1, QuestionShard(3, 2)) as part:
        for name in ("threshold_file", "provenance_file", "library_folder", "recipe_file", "forgotten_file"):
            assert getattr(part, name) == getattr(main, name)
        for name in ("usage_file", "timings_file", "nli_cache", "smoke_file", "lock_file"):
            assert getattr(part, name).parent != getattr(main, name).parent
        assert part.round(1).path == run / "shards/002-of-003/rounds/1"


def test_earlier_rounds_are_those_of_the_run(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    with Run.open(run) as main:
        part = ShardRun(main, 2, QuestionShard(3, 1), None)
        assert part.round(1) is main.round(1)
        assert part.round(2).path == run / "shards/001-of-003/rounds/2"
        assert part.library_round.number == 2


def test_a_shard_needs_all_questions_to_be_asked(tmp_path: Path) -> None:
    Run.create_or_resume(tmp_path / "run", make_recipe(tmp_path)).close()
    with pytest.raises(RunError, match="has not asked"):
        answer(tmp_path / "run", 3, 1)


def test_a_shard_has_one_writer(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    with Run.open(run, write=False) as main, open_shard(main, 1, QuestionShard(3, 1)):
        with pytest.raises(RunError, match="is being written by"):
            answer(run, 3, 1)
        answer(run, 3, 2)


def test_a_shard_that_began_with_other_questions_is_refused(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 3, 1)
    with Run.open(run) as main:
        round_ = main.round(1)
        round_.rewrite(Question, round_.read(Question)[::-1])
    with pytest.raises(RunError, match="delete"):
        answer(run, 3, 1)


def test_a_link_in_place_of_a_shard_is_not_followed(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    answer(run, 3, 1)
    (tmp_path / "elsewhere").mkdir()
    (run / "shards/002-of-003").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="link"):
        answer(run, 3, 2)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_the_budget_is_shared_out(tmp_path: Path) -> None:
    """Asking cost nothing here; what all shards may ask together is not more than the run may."""
    recipe = make_recipe(tmp_path, budget={"calls": 40, "minutes": 30.0})
    run = begin(tmp_path / "run", recipe)
    with Run.open(run, write=False) as main, open_shard(main, 1, QuestionShard(4, 1)) as part:
        assert part.recipe.budget.calls == 10
        assert part.recipe.budget.minutes == pytest.approx(7.5, abs=0.5)
        assert part.recipe.model_copy(update={"budget": main.recipe.budget}) == main.recipe
    shutil.rmtree(run / "shards")
    with pytest.raises(BudgetError) as told:
        answer(run, 2, 1)  # 20 calls for half of 15 questions, at 4 calls each and more
    assert "budget.calls=80" in told.value.hint  # of the whole run, of which each then has 40


def test_a_shard_without_questions_is_done_at_once(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", make_recipe(tmp_path))
    with Run.open(run, write=False) as main:
        ids = main.round(1).ids(Question)
    empty = next(n for n in range(1, 100) if not any(QuestionShard(99, n).holds(one) for one in ids))
    (tmp_path / "script.yaml").unlink()  # no model need be loaded
    do_part(run, "shard", 1, QuestionShard(99, empty))
    assert (run / f"shards/{empty:03d}-of-099/rounds/1/gather.done").exists()
