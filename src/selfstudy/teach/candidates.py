"""What is searched for among the answers to a cited exercise: which one wins, and where statements end.

A candidate is judged by its total reward.  Of equal ones the more probable per sampled token wins, as the
model is to learn what it says of its own accord; then the text that comes first in the alphabet.  Knows
nothing of how candidates are made.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from selfstudy.judging import citations
from selfstudy.judging.cited_items import CitedKind
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise, said_again

_DIGITS = 9
"""Rewards that are the same to so many decimal places are equal."""
_ITEM = re.compile(r"[\s,]*[^\s,][^,]*(?=,)")
_OVER = re.compile(r"[^\w\s]\W*\s?\w")
"""Without it no sentence has ended with another one behind it."""


@dataclass(frozen=True, slots=True)
class CitedCandidate:
    """An answer, or the beginning of one.

    Attributes:
        logprob, tokens: of all that was sampled for it.
        ended: it may not go on.
        total: its reward; NaN before it is judged.
    """

    text: str
    logprob: float = 0.0
    tokens: int = 0
    ended: bool = True
    total: float = math.nan

    @property
    def rank(self) -> tuple[float, float, str]:
        """Candidates sorted by it are in order, the best one first."""
        each = self.logprob / self.tokens if self.tokens else -math.inf
        return -round(self.total, _DIGITS), math.inf if math.isnan(each) else -each, self.text


@dataclass(frozen=True, slots=True)
class Winner:
    """The best answer to an exercise.

    Attributes:
        total: its reward, finite; None: there is no winner.
        candidates: how many texts were judged.
        spread: by how much the best of these earned more than the worst.
        error: why there is none; then there is no text either.
    """

    exercise: CitedExercise
    text: str = ""
    total: float | None = None
    candidates: int = 0
    spread: float = 0.0
    error: str = ""


def winner(
    exercise: CitedExercise,
    rivals: Iterable[CitedCandidate],
    judged: Iterable[CitedCandidate],
    problems: Counter[str],
) -> Winner:
    """The best of the rivals.

    Args:
        judged: all candidates that were judged, the rivals among them.
        problems: why there are no more, how often.
    """
    totals = {one.text: one.total for one in judged}
    best = min(rivals, key=lambda one: one.rank, default=None)
    if best is None:
        why = "; ".join(f"{count} x {problem}" for problem, count in problems.most_common(3))
        return Winner(exercise, error=f"no answer: {why or 'nothing was said'}")
    return Winner(exercise, best.text, best.total, len(totals), max(totals.values()) - min(totals.values()))


def merged(candidates: Iterable[CitedCandidate]) -> list[CitedCandidate]:
    """One of all that are the same, the most probable one, in the order in which they come up."""
    found: dict[tuple[str, bool], CitedCandidate] = {}
    for one in candidates:
        key = one.text, one.ended
        found[key] = min(found.get(key, one), one, key=lambda one: one.rank[1])
    return list(found.values())


def judge(
    exercises: Sequence[CitedExercise],
    candidates: Sequence[Sequence[CitedCandidate]],
    rewards: CitationRewards,
    seed: int,
    problems: Sequence[Counter[str]],
) -> list[list[CitedCandidate]]:
    """The candidates of each exercise with their totals, all judged together.

    Those that could not be judged are left out, and counted among the problems of their exercise.
    """
    outputs = [[one.text for one in row] for row in candidates]
    found: list[list[CitedCandidate]] = []
    rewarded = rewards.rewards(exercises, outputs, seed) if any(outputs) else [[] for _ in outputs]
    for row, judged, own in zip(candidates, rewarded, problems, strict=True):
        found.append([])
        for one, reward in zip(row, judged, strict=True):
            if reward.error or not math.isfinite(reward.total):
                own[reward.error or "its reward is NaN or inf"] += 1
            else:
                found[-1].append(replace(one, total=reward.total))
    return found


def first_statement(text: str, kind: CitedKind) -> int | None:
    """Where the first sentence of `text`, or the first item of a list, ends; None: no other has begun yet.

    Its marks belong to it: they may stand behind its full stop.  Of a list the comma is not part of it.
    """
    if kind == "qampari":
        item = _ITEM.match(text)
        return item.end() if item else None
    if not _OVER.search(text):
        return None
    found = citations.sentences(text)
    return found[0].end if len(found) > 1 else None


def repeats(text: str, kind: CitedKind) -> bool:
    """Whether a sentence, or item, says what one before it says."""
    return bool(said_again(citations.statements(kind, text)))


def whole_statements(text: str, kind: CitedKind) -> str:
    """`text`, which was cut off anywhere, without its last sentence or item."""
    if kind == "qampari":
        return text[: max(0, text.rfind(","))].rstrip()
    found = citations.sentences(text)
    return text[: found[-2].end] if len(found) > 1 else ""
