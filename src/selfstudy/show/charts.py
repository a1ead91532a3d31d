"""Numbers as drawings: the geometry of the report's SVG charts, computed here, drawn by the template.

Pure functions over numbers.  They know nothing of records, HTML or colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10

from selfstudy.summary import Summary
from selfstudy.summary.model import Detail

BINS = 20


@dataclass(frozen=True)
class Histogram:
    """Share of the values in each of `BINS` equal parts of [0, 1]; `heights` relative to the highest bar."""

    label: str
    count: int
    mean: float | None
    counts: tuple[int, ...]
    heights: tuple[float, ...]


def histogram(label: str, values: Sequence[float]) -> Histogram:
    """Counts of `values` in [0, 1]; 1.0 falls into the last bin."""
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS))] += 1
    top = max(counts) or 1
    mean = sum(values) / len(values) if values else None
    return Histogram(label, len(values), mean, tuple(counts), tuple(c / top for c in counts))


@dataclass(frozen=True)
class BarPart:
    """One part of a bar: its name, and where it lies, in percent of the bar."""

    name: str
    left: float
    width: float


def bar(counts: Iterable[tuple[str, int]], least: float = 0.4) -> list[BarPart]:
    """A bar divided as `counts` are; what there is one of can still be seen: at least `least` percent."""
    counted = {name: count for name, count in counts if count}
    total = sum(counted.values())
    shares = {name: max(least, 100 * count / total) for name, count in counted.items()}
    scale = 100 / sum(shares.values()) if shares else 0.0
    parts: list[BarPart] = []
    left = 0.0
    for name, share in shares.items():
        parts.append(BarPart(name, round(left, 2), round(share * scale, 2)))
        left += share * scale
    return parts


@dataclass(frozen=True)
class Change:
    """One metric before and after, with intervals, all in [0, 1]; None where it was not measured.

    `noise`: whether the gate's tests, paired by question, leave open that nothing changed; None: not paired.
    """

    name: str
    label: str
    note: str
    higher_is_better: bool
    before: float | None
    after: float | None
    before_interval: tuple[float, float] | None
    after_interval: tuple[float, float] | None
    count: int | None
    noise: bool | None = None
    control: float | None = None
    """The value after training on random pairs."""

    @property
    def control_difference(self) -> float | None:
        """What the control gained: the part of a change that any training brings, or asking again."""
        return None if self.before is None or self.control is None else self.control - self.before

    @property
    def difference(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def word(self) -> str:
        """better, worse, unchanged or within noise; empty where one side was not measured."""
        if self.before is None or self.after is None:
            return ""
        if self.after == self.before:
            return "unchanged"
        if self._within_noise:
            return "within noise"
        return "better" if (self.after > self.before) == self.higher_is_better else "worse"

    @property
    def _within_noise(self) -> bool:
        """By the paired tests; without them, whether the intervals of the two sides overlap."""
        if self.noise is not None:
            return self.noise
        if self.before_interval is None or self.after_interval is None:
            return False
        (low, high), (lower, upper) = self.before_interval, self.after_interval
        return low <= upper and lower <= high


SHOWN = (
    ("gap_correct", "Gaps, as trained", "what it could not answer, in the wordings it was taught with", True),
    ("gap_correct_reworded", "Gaps, reworded", "the same facts in wordings held out from training", True),
    ("gap_correct_novel", "Gaps, novel wording", "the same facts in wordings seen nowhere before", True),
    ("known_correct", "Known questions", "held out from training: did it forget?", True),
    ("general_correct", "General questions", "held out, right or wrong before: did it forget?", True),
    (
        "reading_correct",
        "Reading from a page",
        "another answer was put into it: is it read?",
        True,
    ),
    (
        "gap_hallucination",
        "Hallucination score on gaps",
        "inconsistency with its own samples; consistency is not truth",
        False,
    ),
    (
        "trust_score",
        "Trust-Score",
        "with documents: answers and cites what they answer, refuses the rest",
        True,
    ),
    ("citation_recall", "Citation recall", "statements that what they cite supports", True),
    ("citation_precision", "Citation precision", "citations that are right and needed", True),
    ("claim_recall", "Claim recall", "with documents that answer: is the answer given?", True),
    ("f1_ref", "Refusing, F1", "what the documents do not answer, once its page is withheld", True),
    ("f1_ans", "Answering, F1", "what the documents do answer", True),
    ("refusal_f1", "Refusal F1", "says that it does not know, where and only where nothing is known", True),
    ("refusal_f1_ref", "Half of it: refusing", "questions without evidence, held out from training", True),
    ("refusal_f1_ans", "Half of it: answering", "gaps and known questions, as first asked", True),
    ("unanswerable_answered", "Made up", "questions without evidence that are answered all the same", False),
    ("known_refused", "Known, but refused", "what it knew and now says that it does not", False),
    (
        "gap_refused",
        "Gaps refused",
        "what it was taught, in any wording, and refuses",
        False,
    ),
    ("answered_right", "Right where it answers", "of gaps and known questions that it does not refuse", True),
)

GAINS = {
    "gap_correct": "gap",
    "gap_correct_reworded": "gap_reworded",
    "gap_correct_novel": "gap_novel",
    "known_correct": "known",
    "general_correct": "general",
    "reading_correct": "reading",
}
"""The gate's comparison of each metric.  `gap_correct` pools the wordings trained on; the gate, and so the
word beside it, goes by the questions as first asked."""


def changes(summary: Summary) -> list[Change]:
    """The headline metrics of `summary` that were measured before or after teaching."""
    found = []
    for name, label, note, up in SHOWN:
        before, after = summary.before[name], summary.after[name]
        if before is None and after is None:
            continue
        first, second = summary.details.before.get(name), summary.details.after.get(name)
        count = (second.n if second else 0) or (first.n if first else 0)
        control = summary.control[name] if summary.control else None
        found.append(
            Change(
                name,
                label,
                note,
                up,
                before,
                after,
                _interval(first),
                _interval(second),
                count or None,
                _noise(summary, name),
                control,
            )
        )
    return found


def _interval(detail: Detail | None) -> tuple[float, float] | None:
    return None if detail is None or detail.low is None or detail.high is None else (detail.low, detail.high)


def _noise(summary: Summary, name: str) -> bool | None:
    """By the paired tests, as the gate; None without a comparison."""
    paired = summary.cited.get(name) or summary.refusing.get(name)
    if paired is not None:
        return paired.low <= 0 <= paired.high
    gain = summary.gains.get(GAINS.get(name, ""))
    return None if gain is None else gain.within_noise(summary.confidence)


@dataclass(frozen=True)
class Curve:
    """A training phase as SVG polylines in a box of `width` x `height`, one per arm."""

    phase: str
    width: int
    height: int
    lines: tuple[tuple[str, str], ...]
    """(arm, points attribute) of each line."""
    last: tuple[tuple[str, float], ...]
    """(arm, last loss)"""
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    broken: int
    """Steps whose loss was not a number."""


def curve(
    phase: str, arms: Mapping[str, Sequence[tuple[int, float]]], width: int = 460, height: int = 190
) -> Curve:
    """Loss over steps. `arms` maps an arm to its (step, loss) in order; non-finite losses are left out."""
    finite = {arm: [p for p in steps if isfinite(p[1])] for arm, steps in arms.items()}
    finite = {arm: steps for arm, steps in finite.items() if steps}
    every = [p for steps in finite.values() for p in steps]
    broken = sum(len(steps) for steps in arms.values()) - len(every)
    right = max((step for step, _ in every), default=1)
    top = max((loss for _, loss in every), default=1.0) or 1.0
    bottom = min(0.0, min((loss for _, loss in every), default=0.0))  # some losses are negative

    def x(step: float) -> float:
        return round(step / max(right, 1) * width, 1)

    def y(loss: float) -> float:
        return round(height - (loss - bottom) / (top - bottom) * height, 1)

    return Curve(
        phase,
        width,
        height,
        tuple((arm, " ".join(f"{x(s)},{y(v)}" for s, v in _thin(steps))) for arm, steps in finite.items()),
        tuple((arm, steps[-1][1]) for arm, steps in finite.items()),
        tuple((x(t), f"{t:g}") for t in ticks(0, right)),
        tuple((y(t), f"{t:g}") for t in ticks(bottom, top)),
        broken,
    )


def _thin(steps: Sequence[tuple[int, float]], most: int = 600) -> list[tuple[int, float]]:
    """At most about `most` points: the mean of each stretch."""
    size = -(-len(steps) // most)
    parts = [steps[i : i + size] for i in range(0, len(steps), size)]
    return [(part[-1][0], sum(v for _, v in part) / len(part)) for part in parts]


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that divide [low, high] into `about` parts."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / about
    power = 10.0 ** floor(log10(raw))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= raw * 0.999)
    first = -(-low // step)
    return [round(i * step, 10) for i in range(int(first), int(high // step) + 1)]
