"""General facts of a run that the model knew before teaching."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.records import KnownFact
from selfstudy.run import Run
from selfstudy.run.general import answered_facts, known_facts, wordings
from selfstudy.run.split import general_tests, held_out


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
        assert answered_facts(run) == facts[:2]
        assert wordings(run) == [(fact.id, fact.question) for fact in facts[:2]]


def test_no_answer_decides_what_is_a_test(tmp_path: Path) -> None:
    facts = [
        KnownFact(question=f"Question {i}?", answers=("a",), said="a", correct=i % 3 > 0) for i in range(90)
    ]
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        run.round(1).append(facts)
        share = run.recipe.teach.known_heldout
        expected = {fact.id for fact in facts if held_out(fact.id, run.recipe.seed, share)}
        assert general_tests(run) == expected
        assert {fact.correct for fact in facts if fact.id in expected} == {True, False}
