"""May this judge decide which of two answers is better?  Not if it is not surely better than comparisons that
cannot judge: a coin, the longer answer wins, the answer that the document entails more wins (methods-more G).

Asked where gold answers say which of two is right.  Pure functions over points of one side: 1 it is better,
.5 both are alike, 0 the other is.  It knows nothing of judges, texts or models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from selfstudy.stats import paired_bootstrap

FEWEST = 20
"""Pairs of a right and a wrong answer with which a judge is compared with the others at all.  A guess."""


@dataclass(frozen=True, slots=True)
class KeyedPair:
    """Points of one side of a pair by the gold answers, by the judge and by both comparisons.

    `entailed`: None where there was no document, or no entailment model.
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
        longer, entailed: accuracy of the comparisons; `entailed` over the pairs that have it.
        trusted: whether the judge is surely better than both and than a coin, by paired intervals of 95%;
            None: too few pairs are decided.
    """

    pairs: int
    decided: int
    accuracy: float
    kappa: float | None
    longer: float
    entailed: float | None
    trusted: bool | None


def judge_trust(pairs: Sequence[KeyedPair], seed: int = 0) -> JudgeTrust | None:
    """Compares a judge with the gold answers; None where no pair is decided."""
    decided = [one for one in pairs if one.gold != 0.5]
    if not decided:
        return None
    judge = [_right(one.gold, one.judge) for one in decided]
    longer = [_right(one.gold, one.longer) for one in decided]
    entailed = [None if one.entailed is None else _right(one.gold, one.entailed) for one in decided]
    by_entailment = [(own, other) for own, other in zip(judge, entailed, strict=True) if other is not None]
    others = [(judge, longer), (judge, [0.5] * len(judge))]
    if len(by_entailment) >= FEWEST:
        others.append(([own for own, _ in by_entailment], [other for _, other in by_entailment]))
    better = all(paired_bootstrap(other, own, seed=seed).low > 0 for own, other in others)
    return JudgeTrust(
        pairs=len(pairs),
        decided=len(decided),
        accuracy=mean(judge),
        kappa=kappa([_side(one.gold) for one in pairs], [_side(one.judge) for one in pairs]),
        longer=mean(longer),
        entailed=mean(other for _, other in by_entailment) if by_entailment else None,
        trusted=better if len(decided) >= FEWEST else None,
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


def _right(gold: float, said: float) -> float:
    """1 if the right answer is preferred, .5 if none is."""
    return 0.5 if _side(said) == 0 else float(_side(said) == _side(gold))


def _side(points: float) -> int:
    return (points > 0.5) - (points < 0.5)
