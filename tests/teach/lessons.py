"""A small world for teach: a run with probe and gather done, a lesson, a model that contradicts by word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from selfstudy import text
from selfstudy.models.base import Progress
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, Recipe, TeachBlock
from selfstudy.records import (
    Answer,
    Completion,
    Evidence,
    Question,
    Reference,
    Rewording,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Round, Run
from selfstudy.teach.gaps import gaps_to_teach, judged_questions
from selfstudy.teach.lesson import Lesson

NAMES = {
    "Peru": "Lima",
    "Chile": "Santiago",
    "Ghana": "Accra",
    "Nepal": "Kathmandu",
    "Cuba": "Havana",
    "Fiji": "Suva",
}


class Overlap:
    """Entailment by shared words: P(contradiction) = 1 - token F1."""

    name = "overlap"

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        agree = np.array([text.token_f1(a, b) for a, b in pairs])
        return np.stack([agree, 1 - agree], 1)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return ["entailment" if text.token_f1(a, b) > 0.5 else "contradiction" for a, b in pairs]


def question(country: str) -> str:
    return f"What is the capital of {country}?"


def reference(country: str) -> str:
    return f"The capital of {country} is {NAMES[country]}."


def document(country: str) -> str:
    return f"{country} is a country. {reference(country)}"


def said(words: str) -> Completion:
    return Completion(text=words)


def make_round(
    folder: Path, kinds: dict[str, VerdictKind], recipe: Recipe | None = None, model: Path | None = None
) -> Round:
    """A run with one question per country, whose verdict is as given. Unverifiable ones have no evidence."""
    recipe = recipe or Recipe()
    if model:
        recipe = recipe.model_copy(update={"model": LocalModel(path=str(model))})
    return fill(Run.create_or_resume(folder, recipe).round(1), kinds)


def fill(round_: Round, kinds: dict[str, VerdictKind]) -> Round:
    """The same in a round that is there."""
    for country, kind in kinds.items():
        asked = Question(text=question(country))
        says = reference(country) if kind in ("known", "unsure") else f"The capital of {country} is Rome."
        samples = [says, f"The capital of {country} is Oslo.", "It is a blue parrot.", reference(country)]
        found = Evidence(
            question_id=asked.id,
            document_id="d" + country,
            source=f"{country}.txt",
            title=country,
            text=document(country),
            start=0,
            end=len(document(country)),
            rank=0,
            relevance=1.0,
        )
        read = Reference(
            question_id=asked.id,
            evidence_id=found.id,
            text=reference(country),
            inconsistency=0.0,
            accepted=True,
        )
        verdict = Verdict(
            question_id=asked.id,
            kind=kind,
            score=0.1 if kind in ("known", "misbelief") else 0.9,
            reference_id=None if kind == "unverifiable" else read.id,
        )
        answer = Answer(
            question_id=asked.id,
            passage=said(says),
            samples=(*map(said, samples), Completion(text="", finish="error", error="no answer")),
        )
        round_.append([asked, answer, verdict] + ([] if kind == "unverifiable" else [found, read]))
    return round_


KINDS: dict[str, VerdictKind] = {
    "Peru": "unknown",
    "Chile": "misbelief",
    "Ghana": "unsure",
    "Nepal": "known",
    "Cuba": "known",
    "Fiji": "unverifiable",
}
PROMPTS = Prompts()


def recipe(**teach: object) -> Recipe:
    return Recipe(teach=TeachBlock.model_validate({"known_heldout": 0.0, **teach}))


def prepared(folder: Path, recipe: Recipe, kinds: dict[str, VerdictKind] = KINDS) -> Lesson:
    """A lesson of one question of each kind, each gap with a trained and a held-out wording."""
    everything = judged_questions(make_round(folder, kinds, recipe))
    gaps = gaps_to_teach(everything)
    rewordings = {
        gap.question.id: [
            Rewording(question_id=gap.question.id, text="Other " + gap.question.text, use="train"),
            Rewording(question_id=gap.question.id, text="Held " + gap.question.text, use="heldout"),
        ]
        for gap in gaps
    }
    return Lesson(recipe, PROMPTS, gaps, everything, rewordings)
