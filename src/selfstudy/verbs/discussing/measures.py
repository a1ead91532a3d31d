"""How discussions went: what each model earned from the other, and what the discussion changed.

A discussion is the unit of every interval.  One that broke off is in nothing but its count; a rating that
could not be read is in no mean, and is counted.  Pure functions over records; asks no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.files import jsonl
from selfstudy.stats import Interval, bootstrap_mean, bootstrap_ratio, paired_bootstrap, plain
from selfstudy.text import token_f1, tokens
from selfstudy.verbs.discussing.discussion import Discussion, SaidPart
from selfstudy.verbs.discussing.pairs import VERB
from selfstudy.verbs.discussing.topics import SIDES, GivenTopics, Side
from selfstudy.verbs.outputs import MARK
from selfstudy.verbs.rating.choosing import ALIKE

FILE = "measures.json"


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """Of one of the two models.

    Attributes:
        received: mean rating of its closing answers by the other, from 1 to 10; the other *gave* these.
        unscored: closing answers of it whose rating could not be read.
        empty, cut: shares of its turns between opening and closing; an empty one says nothing, one that is
            cut came to the limit of tokens.  None: there were no turns.
        changed: share of discussions whose closing answer has other words than its opening.
    """

    received: Interval | None
    unscored: int
    empty: Interval | None
    cut: Interval | None
    changed: Interval | None


@dataclass(frozen=True, slots=True)
class DiscussionMeasures:
    """Of all discussions.

    Attributes:
        broke_off: discussions that are in nothing below.
        models: by side.
        second_ahead: mean of what the second model received less what the first did, of the discussions with
            both ratings.
        opener_ahead: the same, who opened less who did not.
        ties: share of these in which both closing answers earned the same reward.
        alike_before, alike_after: token F1 of the two openings, and of the two closing answers.
        nearer: their difference, paired.
    """

    discussions: int
    broke_off: int
    models: dict[Side, ModelFigures]
    second_ahead: Interval | None
    opener_ahead: Interval | None
    ties: Interval | None
    alike_before: Interval | None
    alike_after: Interval | None
    nearer: Interval | None


def measured(found: Sequence[Discussion], seed: int) -> DiscussionMeasures:
    """The measures of discussions."""
    real = [one for one in found if not one.error]
    rated = [ratings for one in real if (ratings := _ratings(one)) is not None]
    opened = [one.opens for one in real if _ratings(one) is not None]
    before = [token_f1(*(one.openings[side].text for side in SIDES)) for one in real]
    after = [token_f1(*(one.closings[side].text for side in SIDES)) for one in real]
    return DiscussionMeasures(
        discussions=len(found),
        broke_off=len(found) - len(real),
        models={side: _of(side, real, seed) for side in SIDES},
        second_ahead=_mean([b - a for a, b in rated], seed),
        opener_ahead=_mean(
            [a - b if opens == "first" else b - a for (a, b), opens in zip(rated, opened, strict=True)], seed
        ),
        ties=_mean([float(_tie(one)) for one in real if _ratings(one) is not None], seed),
        alike_before=_mean(before, seed),
        alike_after=_mean(after, seed),
        nearer=paired_bootstrap(before, after, seed=seed) if real else None,
    )


def write_measures(folder: Path, given: GivenTopics, found: DiscussionMeasures) -> None:
    """Writes measures.json into a folder: what was given, and the measures."""
    topics = {"usable": len(given.usable), "repeats": given.repeats, "failed": list(given.failed)}
    figures = plain(found) | {"models": {side: plain(one) for side, one in found.models.items()}}
    jsonl.replace(folder / FILE, jsonl.encode({MARK: VERB, "topics": topics, **figures}), None)


def _of(side: Side, real: Sequence[Discussion], seed: int) -> ModelFigures:
    received = [one.received[side].rating for one in real]
    changed = [tokens(one.openings[side].text) != tokens(one.closings[side].text) for one in real]
    return ModelFigures(
        received=_mean([rating for rating in received if rating is not None], seed),
        unscored=received.count(None),
        empty=_of_turns(side, real, lambda said: not tokens(said.text), seed),
        cut=_of_turns(side, real, lambda said: said.cut, seed),
        changed=_mean([float(one) for one in changed], seed),
    )


def _of_turns(
    side: Side, real: Sequence[Discussion], which: Callable[[SaidPart], bool], seed: int
) -> Interval | None:
    """The share of a model's turns that are such."""
    turns = [[which(said) for said in one.turns if said.side == side] for one in real]
    if not all(turns) or not turns:  # --turns 0
        return None
    return bootstrap_ratio([sum(some) for some in turns], [len(some) for some in turns], seed=seed)


def _ratings(one: Discussion) -> tuple[float, float] | None:
    """What the first and the second received; None unless both could be read."""
    first, second = (one.received[side].rating for side in SIDES)
    return None if first is None or second is None else (first, second)


def _tie(one: Discussion) -> bool:
    first, second = (one.received[side].reward for side in SIDES)
    return first is not None and second is not None and abs(first - second) <= ALIKE


def _mean(values: Sequence[float], seed: int) -> Interval | None:
    return bootstrap_mean(values, seed=seed) if values else None
