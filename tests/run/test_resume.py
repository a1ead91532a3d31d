"""What is done and what is done again after a kill."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.records import Failure, Score
from selfstudy.run import Run, resume


def test_done_is_what_has_a_record_and_what_failed_in_this_stage(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        turn = run.round(1)
        turn.append([Score(question_id="a", scorer="agreement", value=0.5)])
        turn.append([Failure(stage=stage, item_id=stage, message="no") for stage in ("probe", "gather")])
        assert resume.done(turn, resume.Step(Score, lambda score: score.question_id, "probe")) == {
            "a",
            "probe",
        }
        assert resume.done(turn, resume.Step(Score, lambda score: score.question_id)) == {"a"}


def test_begins_with_the_last_block_that_has_records() -> None:
    has = {"b", "e"}.__contains__
    assert resume.begun([["a", "b"], ["c"], ["d", "e"], ["f"]], has) == 2  # "c" rightly has none
    assert resume.begun([["a"], ["c"]], has) == resume.begun([], has) == 0
