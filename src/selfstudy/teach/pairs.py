"""Verdicts become preference pairs, each with where it came from.

    unsure        chosen = its own passage, rejected = "-"                                    (methods 1)
    unknown       chosen = reference, rejected = the sample that contradicts it most          (methods 2.5)
    misbelief     the same, more often
    unverifiable  nothing, or (option), if its samples disagree, "I don't know." against its own passage

Records keep one of each; `weighted` repeats what should weigh more.  This file knows nothing of training.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from selfstudy.judging.terms import places, terms, words
from selfstudy.models.answering import from_memory
from selfstudy.models.base import EntailmentModel, LanguageModel, Progress
from selfstudy.recipe import Recipe
from selfstudy.records import Pair
from selfstudy.teach.lesson import REFUSAL, Lesson, copies

TAUGHT_SAMPLES = 4
"""Answers drawn from the taught model per pair, of which the one that contradicts most is rejected."""


def pairs(lesson: Lesson, nli: EntailmentModel) -> list[Pair]:
    """Preference pairs by verdict (see above), one per trained wording, without repeats.

    A gap whose samples all equal its target gives no pair: there is nothing to prefer.
    """
    own = ("unsure", "unverifiable")
    options = [
        () if gap.verdict.kind in own else _rivals(gap.samples or (gap.passage,), gap.target)
        for gap in lesson.gaps
    ]
    worst = _most_contradictory([gap.target for gap in lesson.gaps], options, nli)
    found = []
    for gap, against in zip(lesson.gaps, worst, strict=True):
        unsure = gap.verdict.kind == "unsure"
        rejected = "-" if unsure else against
        if rejected is None:
            continue
        for wording in lesson.wordings(gap):
            found.append(
                Pair(
                    prompt=lesson.prompts.chat("answer", question=wording),
                    chosen=gap.target,
                    rejected=rejected,
                    question_id=gap.question.id,
                    verdict=gap.verdict.kind,
                    weight=lesson.weight(gap),
                    origin="dash" if unsure else "sample" if gap.samples else "passage",
                )
            )
    found += [
        Pair(
            prompt=lesson.prompts.chat("answer", question=one.question.text),
            chosen=REFUSAL,
            rejected=one.passage,
            question_id=one.question.id,
            verdict="unverifiable",
            origin="passage",
        )
        for one in lesson.refused()
        if _rivals((one.passage,), REFUSAL)
    ]
    return found


def against_taught(
    found: Sequence[Pair],
    taught: LanguageModel,
    nli: EntailmentModel,
    recipe: Recipe,
    progress: Progress | None = None,
) -> list[Pair]:
    """The same prompts and chosen answers against what the taught model itself still gets wrong.

    Rejected answers of the untaught model are of no use after supervised training: the taught model does not
    give them any more.  A pair for which no answer contradicts the chosen one is dropped.
    """
    sampling = replace(from_memory(recipe.answering, TAUGHT_SAMPLES, recipe.seed), greedy_first=False)
    answers = taught.generate([pair.prompt for pair in found], sampling, progress)
    options = [
        _rivals([c.text.strip() for c in completions if c.finish != "error"], pair.chosen)
        for pair, completions in zip(found, answers, strict=True)
    ]
    worst = _most_contradictory([p.chosen for p in found], options, nli, at_least=0.5)
    return [
        Pair(
            **pair.model_dump(exclude={"id", "rejected", "origin"}), rejected=rejected, origin="taught-model"
        )
        for pair, rejected in zip(found, worst, strict=True)
        if rejected is not None
    ]


def weighted(found: Sequence[Pair], seed: int) -> list[Pair]:
    """Every pair as often as its weight says; a fraction is the chance of one more."""
    rng = random.Random(f"{seed}:pairs")
    return [pair for pair in found for _ in range(copies(pair.weight, rng))]


def as_control(found: Sequence[Pair]) -> list[Pair]:
    """The same pairs, marked as the random ones they are (`Lesson.control`)."""
    return [Pair(**pair.model_dump(exclude={"id", "origin"}), origin="random") for pair in found]


def _rivals(answers: Sequence[str], chosen: str) -> tuple[str, ...]:
    """Distinct answers that do not say `chosen`, in their order."""
    return tuple(dict.fromkeys(a for a in answers if words(a) and not places(terms(a), terms(chosen))))


def _most_contradictory(
    chosen: Sequence[str],
    options: Sequence[Sequence[str]],
    nli: EntailmentModel,
    at_least: float = 0.0,
) -> list[str | None]:
    """Of each row of options the one with the highest P(contradiction), if that is at least `at_least`."""
    asked = [(good, bad) for good, row in zip(chosen, options, strict=True) for bad in row]
    values = nli.probabilities(asked)[:, 1] if asked else np.empty(0)
    picked: list[str | None] = []
    start = 0
    for row in options:
        # a pair that the model could not judge (NaN) is never picked
        part = np.nan_to_num(values[start : start + len(row)], nan=-1.0)
        start += len(row)
        best = int(part.argmax()) if len(row) else -1
        picked.append(row[best] if best >= 0 and part[best] >= at_least else None)
    return picked
