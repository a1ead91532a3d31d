"""Paired comparisons of two arms: how many were right before and after, with what doubt.

The unit is the fact: questions of one fact are right or wrong together, so each fact counts once, with the
share of its questions that were right, and the bootstrap draws facts (clusters; Efron 1979).  McNemar's exact
test then asks whether as many facts rose as fell; with one question a fact this is McNemar's own count.

Pure functions over checks.  They know nothing of margins or promotion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from selfstudy.records import Arm, Check, JudgedBy, Wording
from selfstudy.stats import mcnemar, paired_bootstrap


class Gain(BaseModel):
    """One comparison: shares right `before` and `after`, paired by question, each fact counting once.

    `difference` = after - before, with its paired bootstrap interval [low, high] over facts; `p` is the exact
    McNemar test.  `n` questions of `facts` facts were answered by both arms, `failed` questions by not both.
    A question that was asked in several orders of the demonstrations is as many of these n.  `won` and `lost`
    are facts of which more, and fewer, are right after.  `fell` is how much right they lost together: a fact
    of which one of three questions is lost counts a third; `moved` the sum of the squares of what was lost
    and won, so a ninth.  With a question a fact `fell` is `lost`, and `moved` is `lost` and `won`.
    `judged_by` counts the n questions by what their answers were compared with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float
    n: int
    facts: int
    won: int
    lost: int
    fell: float = 0.0
    moved: float = 0.0
    failed: int = 0
    judged_by: dict[JudgedBy, int] = {}

    @property
    def rose(self) -> float:
        """How much right the facts won together, as `fell`."""
        return max(0.0, self.difference * self.facts + self.fell)

    def within_noise(self, confidence: float) -> bool:
        """Whether the paired interval holds 0, or McNemar's test sees no change."""
        return self.low <= 0 <= self.high or self.p >= 1 - confidence


class FigureGain(BaseModel):
    """A figure that is no share of right answers, `before` and `after`, of the same questions.

    `difference` = after - before, with its paired bootstrap interval [low, high] over facts.  `n` questions
    of `facts` facts were answered by both arms, `failed` by not both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    before: float
    after: float
    difference: float
    low: float
    high: float
    n: int
    facts: int
    failed: int = 0

    def said(self, confidence: float) -> str:
        """All of it but what it is of, for a sentence; `confidence` is that of the interval."""
        failed = f", {self.failed} more failed" if self.failed else ""
        return (
            f"from {self.before:.3f} to {self.after:.3f} on {self.n} questions about {self.facts} "
            f"facts{failed} ({self.difference:+.3f}, {confidence:.0%} interval {self.low:+.3f} to "
            f"{self.high:+.3f})"
        )


class Unmeasured(BaseModel):
    """A comparison of which nothing came back: of `asked` questions none was answered by both arms.

    `error` is what failed most often.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    asked: int
    error: str


@dataclass(frozen=True, slots=True)
class Resampling:
    """How the intervals are made: their confidence, resamples and seed."""

    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Comparisons:
    """What was measured, and what was asked without an answer, by name; what was not asked is in neither."""

    gains: Mapping[str, Gain] = field(default_factory=dict)
    unmeasured: Mapping[str, Unmeasured] = field(default_factory=dict)


GROUPS: dict[Wording, str] = {
    "original": "gap",
    "trained": "gap_trained",
    "reworded": "gap_reworded",
    "novel": "gap_novel",
}
"""Comparisons of gaps by wording; the other targets are one comparison each, and "held_out" is known and
general together, where general questions were asked."""

_COMPARED: dict[str, tuple[str, Arm, Arm]] = {
    **{
        group: (group, "base", "taught")
        for group in (*GROUPS.values(), "known", "general", "held_out", "reading")
    },
    "known_original": ("known", "original", "taught"),
    "general_original": ("general", "original", "taught"),
    "held_out_original": ("held_out", "original", "taught"),
    "reading_original": ("reading", "original", "taught"),
    "control": ("gap", "control", "taught"),
    "control_gain": ("gap", "base", "control"),
}
"""Name -> group of checks, arm before, arm after; in the order in which they are told."""

Asked = tuple[str, str, int]
Answers = Mapping[Asked, Check]


def measure(checks: Iterable[Check], resampling: Resampling) -> Comparisons:
    """Every comparison that was asked for, by its name in `_COMPARED`."""
    groups: dict[str, dict[Arm, dict[Asked, Check]]] = {}
    for check in checks:
        names: tuple[str, ...] = (GROUPS[check.wording] if check.target == "gap" else check.target,)
        if check.target in ("known", "general"):
            names += ("held_out",)
        for name in names:
            arm = groups.setdefault(name, {}).setdefault(check.arm, {})
            arm[check.question_id, check.asked, check.order] = check
    if "general" not in groups:
        groups.pop("held_out", None)
    gains: dict[str, Gain] = {}
    unmeasured: dict[str, Unmeasured] = {}
    for name, (group, before, after) in _COMPARED.items():
        arms = groups.get(group, {})
        partial = [arm for arm in (before, after) if arm in ("control", "original")]  # asked some of them
        asked = sorted({key for arm in partial or (before, after) for key in arms.get(arm, {})})
        if not asked:
            continue
        found = _compared(asked, arms.get(before, {}), arms.get(after, {}), resampling)
        if isinstance(found, Gain):
            gains[name] = found
        else:
            unmeasured[name] = found
    return Comparisons(gains, unmeasured)


def by_fact(checks: Sequence[Check], values: Sequence[float]) -> list[float]:
    """The mean of `values`, one per check, of each fact, in order of appearance."""
    facts: dict[str, list[float]] = {}
    for check, value in zip(checks, values, strict=True):
        facts.setdefault(check.unit, []).append(value)
    return [fmean(each) for each in facts.values()]


def _compared(asked: Sequence[Asked], before: Answers, after: Answers, how: Resampling) -> Gain | Unmeasured:
    pairs = [
        (first, second)
        for key in asked
        if (first := before.get(key)) is not None and (second := after.get(key)) is not None
        if first.correct is not None and second.correct is not None
    ]
    if not pairs:
        errors = (check.error for key in asked for arm in (before, after) if (check := arm.get(key)))
        commonest = Counter(error for error in errors if error).most_common(1)
        return Unmeasured(asked=len(asked), error=commonest[0][0] if commonest else "an arm was not asked")
    later = [second for _, second in pairs]
    shares = by_fact(later, [float(check.correct or 0) for check, _ in pairs])
    shares_after = by_fact(later, [float(check.correct or 0) for check in later])
    interval = paired_bootstrap(
        shares, shares_after, seed=how.seed, resamples=how.resamples, confidence=how.confidence
    )
    won = [a > b for b, a in zip(shares, shares_after, strict=True)]
    lost = [a < b for b, a in zip(shares, shares_after, strict=True)]
    return Gain(
        before=fmean(shares),
        after=fmean(shares_after),
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        p=mcnemar(lost, won),
        n=len(pairs),
        facts=len(shares),
        won=sum(won),
        lost=sum(lost),
        fell=sum(max(0.0, b - a) for b, a in zip(shares, shares_after, strict=True)),
        moved=sum((a - b) ** 2 for b, a in zip(shares, shares_after, strict=True)),
        failed=len(asked) - len(pairs),
        judged_by=dict(Counter(check.judged_by for check in later)),
    )
