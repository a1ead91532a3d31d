"""How far the unchanged model differs from itself: what a fall or a rise is measured against.

Asked again in another order and batch size, a model may give another answer: sums of floats depend on what is
computed beside them, and where two words are nearly as probable the other one comes first.  A margin below
that would decide by it.

Pure functions over records.  They know nothing of models, nor of how the gate decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import combinations
from statistics import NormalDist, fmean

from pydantic import BaseModel, ConfigDict

from selfstudy.records import Check, Recheck, Target


class Noise(BaseModel):
    """What asking again has shown, of one target.

    Attributes:
        questions: those that were asked again and answered every time; if 0, the rates mean nothing.
        repeats: how often each was answered, the first time included.
        answers: answers of the repeats, all questions together.
        flipped, changed: those that are right where the first is wrong, or the reverse; those in other words.
        failed: repeats without an answer; their questions are not counted.
        flip_rate: f, the chance that two answers to one question differ in being right: the mean over
            questions of 2 p (1 - p), unbiased, p being the share of its answers that are right.
        spread: largest difference of the share of right answers between two times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    questions: int
    repeats: int
    answers: int
    flipped: int
    changed: int
    failed: int = 0
    flip_rate: float
    spread: float

    def deviation(self, n: int) -> float:
        """Standard deviation of the difference of two times that `n` questions are asked: sqrt(f / n)."""
        return math.sqrt(self.flip_rate / n)

    def floor(self, n: int, confidence: float) -> float:
        """How far the share of right answers to `n` questions moves by noise alone.

        The larger of what `confidence` of all differences stay below, and the spread that was seen, which of
        more questions is narrower.
        """
        return max(_z(confidence) * self.deviation(n), self.spread * math.sqrt(self.questions / n))

    def questions_for(self, margin: float, confidence: float) -> int:
        """How many questions bring the floor down to `margin`; 10^9 for 0 or less, which none does."""
        wide = max(_z(confidence) ** 2 * self.flip_rate, self.spread**2 * self.questions)
        return math.ceil(wide / margin**2) if margin > 0 else 10**9

    def told(self, what: str) -> str:
        """For people: never that there is no noise."""
        if not self.questions:
            return f"{what}: no question was answered every time ({self.failed:,} of the repeats failed)"
        asked = f"{what}, {self.answers:,} answers of {self.questions:,} questions asked again"
        words = f"{self.changed:,} in other words"
        if not self.flipped:
            bound = f"at most {min(1.0, 3 / self.answers):.2g} of all answers flip"
            return f"{asked}: no flip in {self.answers:,} answers ({bound}; {words})"
        return (
            f"{asked}: {self.flipped:,} flipped between right and wrong (flip rate {self.flip_rate:.3g}; "
            f"{words}; largest difference between two times {self.spread:.3g})"
        )


def measured(checks: Iterable[Check], again: Iterable[Recheck]) -> dict[Target, Noise]:
    """The noise of each target that was asked again.

    Args:
        checks: of all arms; the first answers of the unchanged model are among them.
        again: the later ones.
    """
    first = {(c.question_id, c.target, c.asked): c for c in checks if c.arm == "base" and not c.order}
    by_item: dict[tuple[str, Target, str], list[Recheck]] = {}
    for one in again:
        by_item.setdefault((one.question_id, one.target, one.asked), []).append(one)
    found: dict[Target, Noise] = {}
    for target in ("known", "general", "gap", "reading"):
        items = [(first[key], later) for key, later in by_item.items() if key[1] == target and key in first]
        if items:
            found[target] = _noise(items)
    return found


def _noise(items: list[tuple[Check, list[Recheck]]]) -> Noise:
    whole = [
        (a, later)
        for a, later in items
        if a.correct is not None and all(one.correct is not None for one in later)
    ]
    failed = sum(one.correct is None for _, ones in items for one in ones)
    if not whole:
        repeats = 1 + max(len(ones) for _, ones in items)
        return Noise(
            questions=0,
            repeats=repeats,
            answers=0,
            flipped=0,
            changed=0,
            failed=failed,
            flip_rate=0.0,
            spread=0.0,
        )
    times = [[bool(a.correct), *(bool(one.correct) for one in later)] for a, later in whole]
    repeats = min(map(len, times))
    shares = [fmean(row[i] for row in times) for i in range(repeats)]
    pairs = [(a, one) for a, ones in whole for one in ones]
    return Noise(
        questions=len(whole),
        repeats=repeats,
        answers=len(pairs),
        flipped=sum(one.correct != a.correct for a, one in pairs),
        changed=sum(one.answer != a.answer for a, one in pairs),
        failed=failed,
        flip_rate=fmean(_differ(row) for row in times),
        spread=max((abs(a - b) for a, b in combinations(shares, 2)), default=0.0),
    )


def _differ(right: list[bool]) -> float:
    """Share of the pairs of these answers of which one is right and one is not: 2 p (1 - p) r / (r - 1)."""
    pairs = list(combinations(right, 2))
    return fmean(a != b for a, b in pairs) if pairs else 0.0


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)
