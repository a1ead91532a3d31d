"""Which settings of a router are chosen, by what they do to questions whose answer is known.

Of the settings under which at most a share of known and unrelated questions activates an adapter, the one is
taken that covers most taught questions, less what it answers wrongly.  Knows scores alone, no text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from selfstudy.models.nearest_questions import DIGITS, Ints
from selfstudy.models.question_words import Bools, Float32s
from selfstudy.models.router import activates
from selfstudy.stats import wilson

SLACK = 0.5
"""Of the lowest similarity of a held-out wording: at all of it, questions in wordings of another kind than
the trained ones were lost (6% were left of them where all could be had)."""
FREELY = 0.1
"""What a threshold of 1 that the bound demands costs, in questions covered (a guess)."""
UNTESTED = 0.4
"""Threshold of an adapter of whose questions none has a second wording, at least (a guess)."""


@dataclass(frozen=True)
class RouterSetting:
    """What is chosen: see `RouterData`."""

    cover: float
    names: bool
    margin: float


@dataclass(frozen=True)
class Scores:
    """Of some texts: the best adapter of each (a number), its score, the base model's score."""

    best: Ints
    score: Float32s
    base: Float32s

    @classmethod
    def of(cls, scores: Float32s) -> Scores:
        """From (texts, classes), the base first; of equal adapters the last."""
        own = scores[:, 1:]
        if not own.shape[1]:  # then nothing may activate
            own = np.zeros_like(scores)
        best = own.shape[1] - 1 - np.argmax(own[:, ::-1], axis=1)
        return cls(best, own[np.arange(len(own)), best], scores[:, 0])

    def clear(self, margin: float) -> Bools:
        """Which exceed the base by the margin."""
        return activates(self.score, self.base, 0.0, margin)


@dataclass(frozen=True)
class Trials:
    """What the settings are chosen by.

    Attributes:
        negatives: known and unrelated questions.
        held_out: taught wordings that are not stored, whose adapter is `owner`.
        near: questions about what was not taught.
    """

    negatives: Scores
    held_out: Scores
    owner: Ints
    near: Scores


@dataclass(frozen=True)
class Calibrated:
    """A setting with its thresholds, and what it does to the trials, as shares.

    `floor`: the threshold that the bound demands of all adapters.
    """

    setting: RouterSetting
    thresholds: npt.NDArray[np.float64]
    floor: float
    false: int
    covered: float
    wrong: float
    near: float

    @property
    def value(self) -> float:
        """The lower the floor the better: people word questions more freely than what is held out."""
        return self.covered - self.wrong - self.near - FREELY * self.floor


def chosen(
    settings: Sequence[RouterSetting],
    evidence: Callable[[RouterSetting], Trials],
    bound: float,
    adapters: int,
) -> Calibrated:
    """The setting of most value; of equals the first."""
    found: Calibrated | None = None
    seen: dict[tuple[float, bool], Trials] = {}
    for setting in settings:
        key = (setting.cover, setting.names)
        if key not in seen:
            seen[key] = evidence(setting)
        choice = _weighed(setting, seen[key], bound, adapters)
        if found is None or choice.value > found.value + 1e-9:
            found = choice
    assert found is not None
    return found


def _weighed(setting: RouterSetting, evidence: Trials, bound: float, adapters: int) -> Calibrated:
    """A setting with its thresholds: the lowest that keep the bound, or higher ones at no cost."""
    false = evidence.negatives.clear(setting.margin)
    floor = _floor(evidence.negatives.score[false], allowed(len(false), bound))
    held = evidence.held_out
    taken = held.clear(setting.margin) & (held.score >= floor)
    right = taken & (held.best == evidence.owner)
    thresholds = np.array(
        [
            max(floor, _least(held.score[right & (evidence.owner == at)], (evidence.owner == at).any()))
            for at in range(adapters)
        ]
    )
    return Calibrated(
        setting,
        thresholds,
        floor,
        int(_activated(evidence.negatives, thresholds, setting.margin).sum()),
        _share(right),
        _share(_activated(held, thresholds, setting.margin) & (held.best != evidence.owner)),
        _share(_activated(evidence.near, thresholds, setting.margin)),
    )


def _activated(scores: Scores, thresholds: npt.NDArray[np.float64], margin: float) -> Bools:
    if not len(thresholds):
        return np.zeros(len(scores.best), dtype=bool)
    return activates(scores.score, scores.base, thresholds[scores.best], margin)


def _least(scores: Float32s, tested: bool) -> float:
    """So far below the smallest of them as people word questions more freely than models do."""
    if not len(scores):
        return 0.0 if tested else UNTESTED
    return max(round(SLACK * float(scores.min()), DIGITS), 0.0)


def _floor(scores: Float32s, most: int) -> float:
    """The lowest threshold that at most so many scores reach."""
    if len(scores) <= most:
        return 0.0
    return round(float(np.sort(scores)[::-1][most]) + 10.0**-DIGITS, DIGITS)


def allowed(count: int, bound: float) -> int:
    """How many of `count` questions may go wrong so that Wilson's interval stays below the bound; else 0."""
    most = int(bound * count)
    while most and wilson(most, count).high > bound:
        most -= 1
    return most


def figures(
    choice: Calibrated, negatives: int, evidence: Trials, bound: float
) -> dict[str, float | int | str | bool | None]:
    """What the calibration saw, of the questions that it chose by: what verify counts is of untouched ones.

    "within_bound": whether so few of so many are surely below the bound, by Wilson's interval.
    """
    upper = wilson(choice.false, negatives).high if negatives else 1.0
    tested = len(evidence.owner)
    return {
        "calibrating": negatives,
        "activated": choice.false,
        "false_activation": choice.false / negatives if negatives else None,
        "false_activation_upper": round(upper, 4),
        "bound": bound,
        "within_bound": upper <= bound,
        "held_out": tested,
        "covered": choice.covered if tested else None,
        "wrong_adapter": choice.wrong if tested else None,
        "near_misses": len(evidence.near.best),
        "near_miss_activation": choice.near if len(evidence.near.best) else None,
    }


def _share(which: Bools) -> float:
    return float(which.mean()) if len(which) else 0.0
