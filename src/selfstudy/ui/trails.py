"""One question's trail as the page shows it: what why.py found, with texts cut and spans marked.

Knows nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from selfstudy.records import Answer, Check, Completion, Evidence, Reference, Score
from selfstudy.run import Run, threshold
from selfstudy.show.questions import cut, excerpt, spread
from selfstudy.show.words import ARMS, why_verdict
from selfstudy.verbs.surroundings import MOST, Surroundings, surroundings
from selfstudy.verbs.why import Lineage, Trail, why

NEAR = 500
"""Characters of a document on each side of a passage that are seen at once."""
PASSAGES = 5
"""Passages of a round that are shown in their documents; and others that are shown alone."""
LONGEST = 20_000
"""Characters of an answer, or of anything else that is shown whole."""
MOST_ITEMS = 40
"""Of one kind in a round."""


@dataclass(frozen=True)
class SaidSample:
    """One more answer of the model, and how it stands to its first one, in a few words."""

    text: str
    told: str
    agrees: bool | None


@dataclass(frozen=True)
class Passage:
    """A passage as it stands in its document: far and near before it, its three parts, near and far after it.

    Attributes:
        parts: of the passage; the second is the sentence that the reference was read from.
        number: by rank, from 1.
    """

    number: int
    evidence: Evidence
    references: tuple[Reference, ...]
    parts: tuple[str, str, str]
    around: Surroundings | None = None

    @property
    def far_before(self) -> str:
        return self.around.before[:-NEAR] if self.around else ""

    @property
    def near_before(self) -> str:
        return self.around.before[-NEAR:] if self.around else ""

    @property
    def near_after(self) -> str:
        return self.around.after[:NEAR] if self.around else ""

    @property
    def far_after(self) -> str:
        return self.around.after[NEAR:] if self.around else ""


@dataclass(frozen=True)
class AskedWording:
    """A wording, and what each model answered to it, by arm."""

    target: str
    wording: str
    text: str
    expected: str
    by_arm: dict[str, Check]


@dataclass(frozen=True)
class RoundTrail:
    """What one round did with the question.

    Attributes:
        limit: the score above which a question is inconsistent.
        arms: that verify asked, in order.
    """

    trail: Trail
    limit: float
    decides: str
    samples: tuple[SaidSample, ...]
    passages: tuple[Passage, ...]
    others: tuple[Evidence, ...]
    told_freely: tuple[Reference, ...]
    why: str
    steps: dict[str, str]
    asked: tuple[AskedWording, ...]
    arms: tuple[str, ...]


@dataclass(frozen=True)
class QuestionTrail:
    """A question's whole trail, the round that was asked for first."""

    lineage: Lineage
    rounds: tuple[RoundTrail, ...]


def question_trail(run: Run, asked: str, first: int = 0) -> QuestionTrail:
    """Of the question that has this id, or is put so.

    Args:
        first: the round that comes first; 0: the last that judged it.

    Raises:
        RunError: a file of the run is damaged.
    """
    lineage = why(run, asked)
    limit = threshold.of(run).value
    judged = [one.round for one in lineage.rounds if one.verdict is not None]
    first = first or max(judged, default=0)
    ordered = sorted(lineage.rounds, key=lambda one: (one.round != first, one.round))
    return QuestionTrail(lineage, tuple(_round(run, one, limit) for one in ordered))


def _round(run: Run, trail: Trail, limit: float) -> RoundTrail:
    decides = run.recipe.probe.scorer
    score = next((one for one in trail.scores if one.scorer == decides), None)
    read: dict[str, list[Reference]] = {}
    for reference in trail.references:
        read.setdefault(reference.evidence_id, []).append(reference)
    numbered = list(enumerate(trail.evidence, 1))
    shown = [(n, one) for n, one in numbered if one.id in read] or numbered[:1]
    shown = shown[:PASSAGES]
    chosen = {one.id for _, one in shown}
    known = {one.id for one in trail.evidence}
    asked = tuple(_asked(trail.checks))
    return RoundTrail(
        trail=trail,
        limit=limit,
        decides=decides,
        samples=tuple(_samples(trail.answer, score, limit)) if trail.answer else (),
        passages=tuple(_passage(run, n, one, read.get(one.id, ())) for n, one in shown),
        others=tuple(one for one in trail.evidence if one.id not in chosen)[:PASSAGES],
        told_freely=tuple(one for one in trail.references if one.evidence_id not in known),
        why=why_verdict(trail.verdict, limit) if trail.verdict else "",
        steps=_steps(trail),
        asked=asked,
        arms=tuple(arm for arm in ARMS if any(arm in one.by_arm for one in asked)),
    )


def said(completion: Completion) -> str:
    """What was answered, or that it failed."""
    if completion.finish == "error":
        return f"[failed: {cut(completion.error or '', LONGEST)}]"
    return cut(completion.text, LONGEST)


def _samples(answer: Answer, score: Score | None, limit: float) -> Iterator[SaidSample]:
    usable = [one.error is None for one in answer.samples]
    sentences = score.sentences if score is not None else ()
    rows = [list(spread(one.per_sample, usable)) for one in sentences]
    groups = spread(score.clusters, usable) if score is not None else []
    for at, sample in enumerate(answer.samples):
        values = [row[at] for row in rows if at < len(row)]
        known = [value for value in values if value is not None and isfinite(value)]
        told, agrees = "not compared one by one", None
        if not usable[at]:
            told = "failed"
        elif known:
            mean = sum(known) / len(known)
            agrees = not threshold.is_inconsistent(mean, limit)
            told = f"{'agrees' if agrees else 'disagrees'} with the first answer ({mean:.2f})"
        elif at < len(groups) and (group := groups[at]) is not None:
            told = f"meaning {group + 1}"
        yield SaidSample(said(sample), told, agrees)


def _passage(run: Run, number: int, one: Evidence, references: Sequence[Reference]) -> Passage:
    text = next((reference.text for reference in references if reference.text), "")
    before, marked, after = excerpt(one.text, text, MOST)
    return Passage(number, one, tuple(references), (before, marked, after), surroundings(run, one))


def _steps(trail: Trail) -> dict[str, str]:
    """Of each example and pair, in which steps it was trained."""
    steps: dict[str, list[str]] = {}
    for one in trail.trained:
        if one.arm == "taught":
            steps.setdefault(one.item_id, []).append(one.told)
    return {item: "; ".join(told) for item, told in steps.items()}


def _asked(checks: Sequence[Check]) -> Iterator[AskedWording]:
    found: dict[tuple[str, str, str], dict[str, Check]] = {}
    for one in checks:
        found.setdefault((one.target, one.wording, one.asked), {}).setdefault(one.arm, one)
    for (target, wording, text), arms in found.items():
        expected = next(iter(arms.values())).expected
        yield AskedWording(target, wording, text, expected, arms)
