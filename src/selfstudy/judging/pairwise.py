"""Which of two answers is better?  What comes of a judge asked in both orders, and how far to trust it.

A judge says that the first answer is better, or the second, or neither.  Asked twice, with the answers
exchanged, it agrees with itself or not: a tie that it names and a choice that follows the place are told
apart (methods-more G; arXiv 2406.11275 offered no tie, and counted such choices as ties).  It knows nothing
of prompts or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from selfstudy.stats import Interval, bootstrap_mean, sign_test

Choice = Literal["first", "second", "tie"]
PairOutcome = Literal["win", "loss", "tie", "half", "inconsistent", "missing"]
_POINTS = {"first": 1.0, "tie": 0.5, "second": 0.0}
FEWEST_FOR_LENGTH = 100
"""Pairs from which on the share of length in a judge's choices is estimated."""
_TOO_ALIKE = 0.05
"""A standard deviation of tanh(d / sd(d)) with which length is a constant."""


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """What the judge said of one pair; None: it could not be read.

    Attributes:
        plain: with our answer in the first place.
        exchanged: with our answer in the second place.
    """

    plain: Choice | None
    exchanged: Choice | None

    @property
    def points(self) -> float | None:
        """Of our answer: the mean of both orders, 1 for a choice, .5 for a tie; None if one is missing."""
        if self.plain is None or self.exchanged is None:
            return None
        return (_POINTS[self.plain] + 1 - _POINTS[self.exchanged]) / 2

    @property
    def outcome(self) -> PairOutcome:
        """Both orders in a word: `half` is a tie in one of them, `inconsistent` the same place in both."""
        points = self.points
        if points is None:
            return "missing"
        if points in (0.25, 0.75):
            return "half"
        if points == 0.5:
            return "tie" if self.plain == "tie" else "inconsistent"
        return "win" if points else "loss"


@dataclass(frozen=True, slots=True)
class PairwiseFigures:
    """Of many pairs; one not counted is never a tie.

    Attributes:
        counted, missing: pairs with both orders read, and without.
        win_rate: mean points of our answers, with an interval over pairs.
        wins, losses, ties, halves, inconsistent: pairs by outcome.
        p: two-sided sign test of wins against losses; 1 where there are none.
        consistency: share of counted pairs whose two orders agree.
        position_bias: share of choices for the first place less that for the second, over all choices read,
            ties aside and of pairs that count; in [-1, 1], 0 without bias, None without a choice.
        primacy, recency: pairs for which the first place was chosen both times, and the second.
    """

    counted: int
    missing: int
    win_rate: Interval
    wins: int
    losses: int
    ties: int
    halves: int
    inconsistent: int
    p: float
    consistency: float
    position_bias: float | None
    primacy: int
    recency: int


def compare(judged: Sequence[JudgedPair], seed: int) -> PairwiseFigures:
    """What a judge said of many pairs, one a question.

    Raises:
        ValueError: of no pair both orders were read.
    """
    # of half a pair the content would not cancel: it counts nowhere
    counted = [(one, points) for one in judged if (points := one.points) is not None]
    if not counted:
        raise ValueError(f"of {len(judged)} pairs none was judged in both orders")
    outcomes = [one.outcome for one in judged]
    wins, losses = outcomes.count("win"), outcomes.count("loss")
    said = [choice for one, _ in counted for choice in (one.plain, one.exchanged)]
    first, second = said.count("first"), said.count("second")
    flips = [one.plain for one in judged if one.outcome == "inconsistent"]
    agree = wins + losses + outcomes.count("tie")
    return PairwiseFigures(
        counted=len(counted),
        missing=outcomes.count("missing"),
        win_rate=bootstrap_mean([points for _, points in counted], seed=seed),
        wins=wins,
        losses=losses,
        ties=outcomes.count("tie"),
        halves=outcomes.count("half"),
        inconsistent=len(flips),
        p=sign_test(wins, losses),
        consistency=agree / len(counted),
        position_bias=(first - second) / (first + second) if first + second else None,
        primacy=flips.count("first"),
        recency=flips.count("second"),
    )


def length_controlled(
    points: Sequence[float], ours: Sequence[int], theirs: Sequence[int], ridge: float = 1.0
) -> float | None:
    """The win rate of our answers if both were of one length: logit P(win) = theta + phi tanh(d / sd(d)).

    d is the difference in length, not centred (Dubois et al. 2024, arXiv 2404.04475, without its difficulty
    of questions and with a ridge penalty).  It is no causal claim: where a better answer must be longer, its
    merit goes with its length.

    Args:
        points: of our answers, in [0, 1].
        ours, theirs: lengths of both answers, in any unit.
        ridge: penalty on theta and phi, 1/2 of it times their squares.

    Returns:
        In [0, 1]; None with fewer than `FEWEST_FOR_LENGTH` pairs, or where nearly all differ by one length,
        which cannot be told from merit.

    Raises:
        ValueError: lengths of the arguments differ, a point is not in [0, 1], or the ridge not above 0.
    """
    rows = list(zip(points, ours, theirs, strict=True))
    if not all(0 <= point <= 1 for point in points) or ridge <= 0:
        raise ValueError("length control needs points in [0, 1] and a ridge above 0")
    difference = np.array([a - b for _, a, b in rows], dtype=np.float64)
    if len(rows) < FEWEST_FOR_LENGTH or not difference.std():
        return None
    length = np.tanh(difference / difference.std())
    if length.std() < _TOO_ALIKE:
        return None
    features = np.stack([np.ones(len(rows)), length], axis=1)
    target, weights = np.array(points, dtype=np.float64), np.zeros(2)
    for _ in range(50):  # Newton's method; the loss is strictly convex
        chance = 1 / (1 + np.exp(-features @ weights))
        slope = features.T @ (chance - target) + ridge * weights
        curvature = (features.T * (chance * (1 - chance))) @ features + ridge * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if np.abs(step).max() < 1e-10:
            break
    return float(1 / (1 + np.exp(-weights[0])))
