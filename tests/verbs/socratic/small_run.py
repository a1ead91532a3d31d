"""A run with every kind of verdict, made of records: what gather leaves behind, without asking any model."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.records import (
    Answer,
    Completion,
    Evidence,
    Failure,
    Question,
    Reference,
    Score,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Run

CAPITALS: tuple[tuple[str, str, VerdictKind], ...] = (
    ("Mali", "Bamako", "unknown"),
    ("Chad", "Ndjamena", "misbelief"),
    ("Peru", "Lima", "known"),
    ("Togo", "Lome", "unsure"),
    ("Fiji", "Suva", "unverifiable"),
)


def asked(country: str) -> str:
    return f"What is the capital of {country}?"


def make_run(folder: Path, *, references: bool = True) -> Path:
    """One question of each verdict, one that gather failed at, and one that nothing was found for."""
    with Run.create_or_resume(folder, Recipe(library="atlas")) as run:
        round_ = run.round(1)
        for country, city, kind in CAPITALS:
            question = Question(text=asked(country))
            said = Completion(text=f"The capital of {country} is Timbuktu.", tokens=8)
            score = Score(question_id=question.id, scorer=run.recipe.probe.scorer, value=0.4)
            round_.append([question, Answer(question_id=question.id, passage=said, samples=(said,)), score])
            if not references:
                continue
            text = f"{country} is a country. {city} is the capital of {country}. It is warm there."
            evidence = Evidence(
                question_id=question.id,
                document_id=country,
                source=f"{country}.txt",
                title=country,
                text=text,
                start=0,
                end=len(text),
                rank=0,
                relevance=1.0,
            )
            reference = Reference(
                question_id=question.id,
                evidence_id=evidence.id,
                text=f"The capital of {country} is {city}.",
                inconsistency=0.9,
                accepted=kind != "unverifiable",
                explanation="5 other answers do not agree",
            )
            judged = Verdict(
                question_id=question.id,
                kind=kind,
                score=0.4,
                reference_id=None if kind == "unverifiable" else reference.id,
            )
            round_.append([evidence, reference, judged])
        if references:
            lost, broken = Question(text=asked("Narnia")), Question(text=asked("Oman"))
            round_.append([lost, broken, Verdict(question_id=lost.id, kind="unverifiable", score=0.4)])
            round_.append([Failure(stage="gather", item_id=broken.id, message="the server is down")])
    return folder
