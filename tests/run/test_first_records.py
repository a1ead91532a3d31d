"""A stage in which every item fails writes nothing and is not done."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.models.first_items import ENOUGH
from selfstudy.recipe import Recipe
from selfstudy.records import Failure, Question
from selfstudy.run import Round, Run
from selfstudy.run.first_records import FirstRecords


@pytest.fixture
def round_(tmp_path: Path) -> Round:
    return Run.create_or_resume(tmp_path / "run", Recipe()).round(1)


def failure(name: str) -> Failure:
    return Failure(stage="probe", item_id=name, message="no")


def test_failures_wait_for_a_success_and_keep_their_place(round_: Round) -> None:
    out = FirstRecords(round_, "answering")
    out.write([[failure("a")], []], ["no"])
    assert not round_.read(Failure)
    out.write([[failure("b"), Question(text="q")]], ["no", None])
    assert [one.item_id for one in round_.iter(Failure)] == ["a", "b"]
    out.write([[failure("c")]], ["no"])
    assert len(round_.read(Failure)) == 3
    out.close()


def test_the_first_that_fail_alike_stop_it(round_: Round) -> None:
    out = FirstRecords(round_, "answering")
    for i in range(ENOUGH - 1):
        out.write([[failure(str(i))]], ["no"])
    with pytest.raises(ModelError, match=r"answering: all of the first 8 failed, .*like this: no") as error:
        out.write([[failure("last")]], ["no"])
    assert "same command again" in error.value.hint
    assert not round_.read(Failure)


def test_a_step_without_any_success_does_not_end(round_: Round) -> None:
    out = FirstRecords(round_, "gathering")
    out.write([[failure("a"), failure("b")]], ["one", "another"])
    with pytest.raises(ModelError, match="gathering: all 2 failed"):
        out.close()
    assert not round_.read(Failure)


def test_what_needs_no_trying_is_done(round_: Round) -> None:
    out = FirstRecords(round_, "gathering")
    out.write([[failure("a")]], ["no"], untried=3)
    out.close()
    assert len(round_.read(Failure)) == 1


def test_a_step_that_worked_before_goes_on(round_: Round) -> None:
    out = FirstRecords(round_, "answering", works=True)
    for i in range(2 * ENOUGH):
        out.write([[failure(str(i))]], ["no"])
    out.close()
    assert len(round_.read(Failure)) == 2 * ENOUGH
