"""Verdicts become preference pairs, each with where it came from.

    unsure        chosen = its own passage, rejected = "-"                                    (methods 1)
    unknown       chosen = reference, rejected = the sample that contradicts it most          (methods 2.5)
    misbelief     the same, more often
    unverifiable  nothing, or (option), if its samples disagree, "I don't know." against its own passage

Or by the label that a judge gave its passage (`published`), or several pairs of a gap (`pairs`).
Records keep one of each; `weighted` repeats what should weigh more.  This file knows nothing of training.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from selfstudy.judging.refusals import is_refusal
from selfstudy.judging.terms import places, terms, words
from selfstudy.models.answering import from_memory
from selfstudy.models.base import EntailmentModel, LanguageModel, Progress
from selfstudy.recipe import DPOBlock, Recipe
from selfstudy.records import Chat, Pair, PairOrigin, Verdict
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import Lesson, copies

ONE = DPOBlock()
"""One pair of a gap."""
CONTRADICTS = 0.5
"""P(contradiction) from which an answer is held to contradict another."""
TAUGHT_SAMPLES = 4
"""Answers drawn from the taught model per pair, of which the one that contradicts most is rejected."""


def pairs(lesson: Lesson, nli: EntailmentModel, block: DPOBlock = ONE) -> list[Pair]:
    """Preference pairs by verdict (see above), of every trained wording, without repeats.

    A gap whose samples all equal its target gives no pair: there is nothing to prefer.  With `block.pairs`
    above 1 (methods 2.5) the answers that were read from the evidence stand in order, the target first, then
    those with the least mean P(contradiction) with all others; the samples in order of P(contradiction) with
    the target, the highest first, and beyond the first those of at least `CONTRADICTS`.  The n-th pair is of
    the n-th of each, no sample twice; where there are no more answers to choose, of the target again.
    """
    own = ("unsure", "unverifiable")
    rivals = [
        () if gap.verdict.kind in own else _rivals(gap.samples or (gap.passage,), gap.target)
        for gap in lesson.gaps
    ]
    read = [
        gap.readings if row and block.pairs > 1 else () for gap, row in zip(lesson.gaps, rivals, strict=True)
    ]
    ranked, chosen = _ranked([gap.target for gap in lesson.gaps], rivals, read, nli)
    found: list[Pair] = []
    for gap, against, good in zip(lesson.gaps, ranked, chosen, strict=True):
        unsure = gap.verdict.kind == "unsure"
        made = [(gap.target, "-")] if unsure else _paired(gap.target, good, against, block.pairs)
        part = 1 / len(made) if made and block.count == "gap" else 1.0
        origin: PairOrigin = "dash" if unsure else "sample" if gap.samples else "passage"
        found += _in_each_wording(lesson, gap, made, origin, part)
    return found + _refusals(lesson)


def _in_each_wording(
    lesson: Lesson,
    gap: JudgedQuestion,
    made: Sequence[tuple[str, str]],
    origin: PairOrigin,
    part: float = 1.0,
) -> list[Pair]:
    """Pairs of (chosen, rejected) for every trained wording of a gap."""
    return [
        Pair(
            prompt=lesson.prompts.chat("answer", question=wording),
            chosen=better,
            rejected=worse,
            question_id=gap.question.id,
            verdict=gap.verdict.kind,
            weight=lesson.weight(gap),
            part=part,
            origin=origin,
        )
        for wording in lesson.wordings(gap)
        for better, worse in made
    ]


def _refusals(lesson: Lesson) -> list[Pair]:
    return [
        Pair(
            prompt=lesson.prompts.chat("answer", question=one.question.text),
            chosen=one.target,
            rejected=one.passage,
            question_id=one.question.id,
            verdict="unverifiable",
            origin="passage",
        )
        for one in lesson.refused()
        if _rivals((one.passage,), one.target) and not is_refusal(one.passage)
    ]


def published(lesson: Lesson) -> list[Pair]:
    """Pairs by the label of each gap's own passage (methods 1), one per trained wording.

        label   value   chosen                    rejected
        yes     1       its own passage           "-"          (it was only unsure)
        partly  0.5     the reference             its passage  (it did not know)
        no      0       the reference             its passage

    A verdict without a label says by `agrees` whether the passage is right: of nothing it says that it is
    partly.  A passage that says what would be chosen, or nothing, gives no pair.
    """
    found: list[Pair] = []
    for gap in lesson.gaps:
        right = _label(gap.verdict) > 0.5
        chosen = gap.passage if right else gap.reference
        if lesson.arm == "control":
            chosen = gap.target  # of another question
        rejected = "-" if right else gap.passage
        if not chosen or not (right or _rivals((gap.passage,), chosen)):
            continue
        found += _in_each_wording(lesson, gap, [(chosen, rejected)], "dash" if right else "passage")
    return found + _refusals(lesson)


def _label(verdict: Verdict) -> float:
    """The label in numbers (methods 1)."""
    if verdict.label is None:
        return 1.0 if verdict.agrees or verdict.kind == "unsure" else 0.0
    return {"yes": 1.0, "partly": 0.5, "no": 0.0}[verdict.label]


def against_taught(
    found: Sequence[Pair],
    taught: LanguageModel,
    nli: EntailmentModel,
    recipe: Recipe,
    progress: Progress | None = None,
) -> list[Pair]:
    """The same prompts and chosen answers against what the taught model itself still gets wrong.

    Rejected answers of the untaught model are of no use after supervised training: the taught model does not
    give them any more.  A pair for which no answer contradicts the chosen one is dropped; to a refusal every
    answer is the opposite, whatever entailment says.
    """
    sampling = replace(from_memory(recipe.answering, TAUGHT_SAMPLES, recipe.seed), greedy_first=False)
    asked: dict[Chat, list[Pair]] = {}  # several pairs of one gap have one prompt
    for pair in found:
        asked.setdefault(pair.prompt, []).append(pair)
    answers = taught.generate(list(asked), sampling, progress)
    options = [
        _rivals([c.text.strip() for c in completions if c.finish != "error"], rows[0].chosen)
        for rows, completions in zip(asked.values(), answers, strict=True)
    ]
    ranked, _ = _ranked([rows[0].chosen for rows in asked.values()], options, [()] * len(options), nli)
    made = []
    for rows, row in zip(asked.values(), ranked, strict=True):
        refuses = is_refusal(rows[0].chosen)
        worse = [s for s, value in row if (not is_refusal(s) if refuses else value >= CONTRADICTS)]
        kept = [
            (pair, said) for pair, said in zip(rows, worse, strict=False) if _rivals((said,), pair.chosen)
        ]
        of_all = sum(pair.part for pair in rows)
        for pair, said in kept:
            same = pair.model_dump(exclude={"id", "rejected", "origin", "part"})
            part = of_all / len(kept) if of_all < len(rows) else 1.0
            made.append(Pair(**same, rejected=said, part=min(part, 1.0), origin="taught-model"))
    return made


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


def _paired(
    target: str, good: Sequence[str], against: Sequence[tuple[str, float]], most: int
) -> list[tuple[str, str]]:
    """The n-th of the chosen with the n-th of the rejected, at most `most`."""
    worse = [said for place, (said, value) in enumerate(against) if not place or value >= CONTRADICTS][:most]
    made = []
    for place, said in enumerate(worse):
        better = good[place] if place < len(good) else target
        made.append((better if _rivals((said,), better) else target, said))
    return made


def _ranked(
    targets: Sequence[str],
    rivals: Sequence[Sequence[str]],
    readings: Sequence[Sequence[str]],
    nli: EntailmentModel,
) -> tuple[list[list[tuple[str, float]]], list[list[str]]]:
    """All that is to be judged, in one batch.

    Returns:
        Of each row the rivals by P(contradiction) with the target, the highest first; one that cannot be
        judged (NaN) is left out.  And the target, then what was read with it, the most consistent first.
    """
    asked = [(good, bad) for good, row in zip(targets, rivals, strict=True) for bad in row]
    said = [[target, *row] if row else [] for target, row in zip(targets, readings, strict=True)]
    asked += [(a, b) for row in said for a in row for b in row if a != b]
    values = iter(nli.probabilities(asked)[:, 1].tolist() if asked else ())
    worst = [[(bad, next(values)) for bad in row] for row in rivals]
    ranked = [
        sorted((one for one in row if one[1] == one[1]), key=lambda one: -one[1]) for row in worst
    ]  # sorted keeps the order of equal ones
    chosen = []
    for target, row in zip(targets, said, strict=True):
        contradiction = {a: np.mean([next(values) for b in row if a != b] or [0.0]) for a in row}
        usable = [one for one in row[1:] if contradiction[one] < CONTRADICTS]
        chosen.append([target, *sorted(usable, key=lambda one: contradiction[one])])
    return ranked, chosen
