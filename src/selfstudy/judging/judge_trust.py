"""May this judge decide which of two answers is better?  Not if it does no better than two things that cannot
read: the longer answer wins, and the answer that is entailed more wins (methods-more G).

Asked where gold answers say which of two is right.  Pure functions over points of one side: 1 it is better,
.5 both are alike, 0 the other is.  It knows nothing of judges, texts or models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 20
"""Pairs of a right and a wrong answer with which a judge is compared with the others at all.  A guess."""


@dataclass(frozen=True, slots=True)
class KeyedPair:
    """Points of one side of a pair by the gold answers, by the judge and by both comparisons.

    `entailed`: None where there was no entailment model.
    """

    gold: float
    judge: float
    longer: float
    entailed: float | None = None


@dataclass(frozen=True, slots=True)
class JudgeTrust:
    """How a judge does where the gold answers decide.

    Attributes:
        pairs: all of them; `decided`: those of a right and a wrong answer.
        accuracy: share of decided pairs in which the judge prefers the right answer, ties counted half.
        kappa: Cohen's, of judge and gold over all pairs, three classes; None where chance alone agrees.
        longer, entailed: accuracy of the comparisons.
        trusted: whether the judge is better than both; None: too few pairs are decided.
    """

    pairs: int
    decided: int
    accuracy: float
    kappa: float | None
    longer: float
    entailed: float | None
    trusted: bool | None


def judge_trust(pairs: Sequence[KeyedPair]) -> JudgeTrust | None:
    """Compares a judge with the gold answers; None where no pair is decided."""
    decided = [one for one in pairs if one.gold != 0.5]
    if not decided:
        return None
    accuracy = _accuracy([(one.gold, one.judge) for one in decided])
    longer = _accuracy([(one.gold, one.longer) for one in decided])
    by_entailment = [(one.gold, one.entailed) for one in decided if one.entailed is not None]
    entailed = _accuracy(by_entailment) if len(by_entailment) == len(decided) else None
    return JudgeTrust(
        pairs=len(pairs),
        decided=len(decided),
        accuracy=accuracy,
        kappa=kappa([_side(one.gold) for one in pairs], [_side(one.judge) for one in pairs]),
        longer=longer,
        entailed=entailed,
        trusted=accuracy > max(longer, entailed or 0.0) if len(decided) >= FEWEST else None,
    )


def kappa(one: Sequence[object], other: Sequence[object]) -> float | None:
    """Cohen's kappa of two labellings of the same items (Cohen 1960); None where chance agrees on all.

    Raises:
        ValueError: lengths differ, or there are no items.
    """
    pairs = list(zip(one, other, strict=True))
    if not pairs:
        raise ValueError("kappa needs items")
    n = len(pairs)
    first, second = Counter(one), Counter(other)
    agree = sum(a == b for a, b in pairs) / n
    chance = sum(first[label] * second[label] for label in first) / n**2
    return None if chance == 1 else (agree - chance) / (1 - chance)


def _accuracy(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(0.5 if _side(said) == 0 else _side(said) == _side(gold) for gold, said in pairs) / len(pairs)


def _side(points: float) -> int:
    return (points > 0.5) - (points < 0.5)
