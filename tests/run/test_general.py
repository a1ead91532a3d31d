"""General facts of a run that the model knew before teaching."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.records import KnownFact
from selfstudy.run import Run
from selfstudy.run.general import known_facts, wordings


def test_only_what_was_answered_right_is_known(tmp_path: Path) -> None:
    facts = [
        KnownFact(question=f"Question {i}?", answers=("a",), said="a", correct=right)
        for i, right in enumerate((True, False, None))
    ]
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        assert known_facts(run) == []
        run.round(1).append(facts)
        run.round(2)
        assert known_facts(run) == facts[:1]
        assert wordings(run) == [(facts[0].id, "Question 0?")]
