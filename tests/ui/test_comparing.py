"""Two runs: which questions differ, in which order, and what may not be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.recipe import Recipe
from selfstudy.records import Check, Question, Verdict, VerdictKind
from selfstudy.run import Run
from selfstudy.ui.comparing import compared


def make(folder: Path, said: dict[str, tuple[VerdictKind, bool | None]], **recipe: object) -> Run:
    run = Run.create_or_resume(folder, Recipe.model_validate(recipe))
    questions = [Question(text=text) for text in said]
    for question, (kind, after) in zip(questions, said.values(), strict=True):
        run.round(1).append([question, Verdict(question_id=question.id, kind=kind, score=0.5)])
        check = Check(
            question_id=question.id,
            arm="taught",
            target="gap",
            wording="original",
            asked=question.text,
            answer="",
            expected="",
            correct=after,
        )
        run.round(1).append([check] if after is not None else [])
    return run


def test_the_questions_that_differ_most_come_first(tmp_path: Path) -> None:
    left = make(
        tmp_path / "left",
        {
            "a": ("known", None),
            "b": ("unsure", None),
            "c": ("known", True),
            "d": ("known", None),
            "e": ("known", None),
        },
    )
    right = make(
        tmp_path / "right",
        {"a": ("misbelief", None), "b": ("unknown", None), "c": ("known", False), "d": ("known", None)},
        seed=7,
    )
    found = compared(left, right)
    assert [one.text for one in found.questions] == ["c", "a", "b"]
    assert (found.common, found.alone, found.differing) == (4, (1, 0), 3)
    assert ("known", 4, 2) in found.counts
    assert found.recipe == ("seed: 0 -> 7",)
    said = " ".join(found.cautions)
    for part in ("1 are of the first alone", "seeds differ (0 and 7)", "not been summed up"):
        assert part in said


def test_a_verdict_that_others_spelled_is_read_and_a_later_round_counts(tmp_path: Path) -> None:
    left, right = (make(tmp_path / name, {"a": ("known", None)}) for name in ("left", "right"))
    name = Question(text="a").id
    left.round(2).append([Verdict(question_id=name, kind="unsure", score=0.5)])
    path = left.round(2).path / Verdict.file
    path.write_text(path.read_text().replace('":"', '": "'))
    (one,) = compared(left, right).questions
    assert (one.left.verdict, one.left.round, one.right.verdict) == ("unsure", 2, "known")


def test_a_damaged_verdict_is_a_sentence(tmp_path: Path) -> None:
    left, right = (make(tmp_path / name, {"a": ("known", None)}) for name in ("left", "right"))
    path = left.round(1).path / Verdict.file
    for wrong in ("no json", "[]"):
        path.write_text(f"{wrong}\n{path.read_text()}")
        with pytest.raises(RunError, match=r"verdicts\.jsonl, line 1 is damaged"):
            compared(left, right)


def test_general_facts_are_no_questions_of_the_runs(tmp_path: Path) -> None:
    left, right = (make(tmp_path / name, {"a": ("known", None)}) for name in ("left", "right"))
    said = {"question_id": "fact", "arm": "taught", "target": "general", "wording": "original", "asked": "b"}
    for run, after in ((left, True), (right, False)):
        run.round(1).append([Check.model_validate({**said, "answer": "", "expected": "", "correct": after})])
    found = compared(left, right)
    assert (found.common, found.differing) == (1, 0)


def test_runs_of_other_questions_may_not_be_compared(tmp_path: Path) -> None:
    found = compared(
        make(tmp_path / "left", {"a": ("known", None)}), make(tmp_path / "right", {"b": ("known", None)})
    )
    assert "share no question" in found.cautions[0]
    assert not found.questions
