"""A run whose questions two models answered, to be rated."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.records import Answer, Check, Completion, Question
from selfstudy.run import Run

LONG = "x" * 20_001


def check(asked: str, arm: str, answer: str, **other: object) -> Check:
    given = {"question_id": asked, "target": "gap", "wording": "original", "expected": "", "correct": None}
    return Check.model_validate({**given, "asked": asked, "arm": arm, "answer": answer, **other})


def make_run(folder: Path, questions: int = 3) -> Path:
    """A run called `one`; each of its questions has an answer before and one after, "after" is right."""
    with Run.create_or_resume(folder / "one", Recipe()) as run:
        turn = run.round(1)
        for number in range(questions):
            asked = f"What is {number}?"
            turn.append([check(asked, "base", f"It is not {number}.", correct=False)])
            turn.append([check(asked, "taught", f"It is {number}.", correct=True)])
    return folder


def make_probed_run(folder: Path, answers: dict[str, list[str]]) -> Path:
    """A run called `one` that was only probed: to each question a first answer, and samples."""
    with Run.create_or_resume(folder / "one", Recipe()) as run:
        for text, (first, *samples) in answers.items():
            question = Question(text=text)
            said = tuple(Completion(text=one) for one in samples)
            answer = Answer(question_id=question.id, passage=Completion(text=first), samples=said)
            run.round(1).append([question, answer])
    return folder
