"""May a reward be trusted?  Bad answers that must earn little, and a judge's bias for places and for length.

A judge that says yes to everything pays a refusal as it pays an answer; one that is taken in by its own words
pays for a rubric repeated.  Knows rewarders and judges; nothing of files.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from selfstudy.judging import rubric
from selfstudy.judging.judge import Judge
from selfstudy.judging.pairwise import PairwiseFigures, compare, length_controlled
from selfstudy.judging.pairwise_judge import judged_pairs
from selfstudy.judging.rewards import Response, Reward, Rewarder
from selfstudy.models.base import Progress
from selfstudy.verbs.rating.choosing import RatedPair
from selfstudy.verbs.rating.given import PromptAnswers

BAD_ANSWERS: dict[str, Callable[[PromptAnswers], str]] = {
    "a refusal": lambda prompt: "I do not know.",
    "the prompt repeated": lambda prompt: prompt.text,
}
"""Answers that say nothing."""
RUBRIC_REPEATED = "the rubric repeated"
"""Tried where the judge sees the rubric."""
MOST_TRIED = 50
"""Prompts for which bad answers are judged."""


@dataclass(frozen=True, slots=True)
class BadAnswerFigures:
    """What a bad answer earned.

    Attributes:
        tried, scored: prompts, and those for which it got a reward.
        earned: median of its rewards; None without any.
        answers: median of the rewards of the real answers to these prompts.
    """

    kind: str
    tried: int
    scored: int
    earned: float | None
    answers: float | None

    @property
    def suspicious(self) -> bool:
        """Whether it is paid no less than the answers are."""
        return self.earned is not None and self.answers is not None and self.earned >= self.answers


def bad_answers(
    prompts: Sequence[PromptAnswers],
    rewards: Sequence[Sequence[Reward]],
    rewarder: Rewarder,
    seed: int,
    progress: Progress | None = None,
) -> list[BadAnswerFigures]:
    """What bad answers to some of the prompts earn beside the real ones, by kind; all are one batch.

    Args:
        rewards: of the prompts' real answers, by the same rewarder.
    """
    kinds = dict(BAD_ANSWERS)
    if rewarder.name.startswith("rubric"):
        kinds[RUBRIC_REPEATED] = lambda prompt: rubric.numbered(prompt.criteria)
    some = random.Random(f"{seed}:bad answers").sample(range(len(prompts)), min(MOST_TRIED, len(prompts)))
    usual = [one.value for i in some for one in rewards[i] if one.value is not None]
    tried = [
        (kind, Response(prompts[i].text, text, prompts[i].criteria))
        for kind, of in kinds.items()
        for i in sorted(some)
        if (text := of(prompts[i]))
    ]
    earned = rewarder.rewards([response for _, response in tried], progress)
    found = []
    for kind in dict.fromkeys(kind for kind, _ in tried):
        own = [reward.value for (other, _), reward in zip(tried, earned, strict=True) if other == kind]
        values = [value for value in own if value is not None]
        found.append(
            BadAnswerFigures(
                kind,
                len(own),
                len(values),
                median(values) if values else None,
                median(usual) if usual else None,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class OrderFigures:
    """The pairs of a reward, judged side by side.

    Attributes:
        judged: in both orders; its win rate is that of the chosen answers.
        longer: share of pairs whose chosen answer is the longer one, of those of different length.
        controlled: the win rate if all answers were of one length; None with too few pairs.
    """

    judged: PairwiseFigures
    longer: float | None
    controlled: float | None


def order_figures(
    pairs: Sequence[RatedPair], judge: Judge, seed: int, progress: Progress | None = None
) -> OrderFigures | None:
    """How a judge compares the answers of pairs; None where no pair was judged in both orders."""
    asked = [(pair.prompt.text, pair.chosen, pair.rejected) for pair in pairs]
    said = judged_pairs(asked, judge, progress)
    counted = [
        (one.points, len(pair.chosen), len(pair.rejected))
        for one, pair in zip(said, pairs, strict=True)
        if one.points is not None
    ]
    if not counted:
        return None
    points, ours, theirs = zip(*counted, strict=True)
    return OrderFigures(compare(said, seed), longer_share(pairs), length_controlled(points, ours, theirs))


def longer_share(pairs: Sequence[RatedPair]) -> float | None:
    """Share of pairs whose chosen answer has more characters, of those in which one has; None without any."""
    longer = [len(p.chosen) > len(p.rejected) for p in pairs if len(p.chosen) != len(p.rejected)]
    return sum(longer) / len(longer) if longer else None
