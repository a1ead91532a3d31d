"""How good is a reward?  Ties, spread, what is unscored, length, right answers and cost, over many prompts.

Pure functions over answers and rewards (methods-more D); knows nothing of who judged.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from selfstudy.judging.judge import JudgeUse
from selfstudy.judging.rewards import Reward
from selfstudy.stats import Interval, auroc, auroc_interval, spearman
from selfstudy.verbs.rating.choosing import ALIKE, Dropped, RatedPair
from selfstudy.verbs.rating.given import GivenAnswer, PromptAnswers


@dataclass(frozen=True, slots=True)
class RewardMeasures:
    """One reward over all answers; None where there is nothing to measure.

    Attributes:
        answers, scored: different answers, and those with a reward.
        problem: the commonest reason for none; "" without any.
        compared, tied: two scored answers of one prompt, and those of equal reward.
        mean, spread: of the rewards; the spread is their standard deviation.
        length: Spearman's correlation of the reward with the characters of the answer; in [-1, 1].
        auroc: chance that a right answer earns more than a wrong one, of whatever prompts, ties counted half.
        auroc_bounds: its interval, with enough of both.
        keyed: scored answers of which the file says whether they are right.
        ordered: the same chance within a prompt, mean over `orders` couples of a right and a wrong one.
        pairs: preference pairs that came of it; `dropped` says what came of the other prompts.
        calls, tokens: of the judge, for each of these pairs.
    """

    name: str
    answers: int
    scored: int
    problem: str
    compared: int
    tied: int
    mean: float | None
    spread: float | None
    length: float | None
    auroc: float | None
    auroc_bounds: Interval | None
    keyed: int
    ordered: float | None
    orders: int
    pairs: int
    dropped: dict[str, int]
    calls: float | None
    tokens: float | None

    @property
    def unscored(self) -> float:
        """Share of answers without a reward."""
        return 1 - self.scored / self.answers if self.answers else 0.0


def measure(
    name: str,
    prompts: Sequence[PromptAnswers],
    rewards: Sequence[Sequence[Reward]],
    outcomes: Sequence[RatedPair | Dropped],
    use: JudgeUse,
) -> RewardMeasures:
    """What a reward did.

    Args:
        rewards: of each prompt's answers, in order.
        outcomes: what came of each prompt (`choosing.choose`).
        use: of the judge, for these answers alone.
    """
    scored = [list(_scored(prompt, some)) for prompt, some in zip(prompts, rewards, strict=True)]
    flat = [one for some in scored for one in some]
    values = [value for _, value in flat]
    keyed = [(value, answer.correct) for answer, value in flat if answer.correct is not None]
    right = [correct for _, correct in keyed]
    orders = [_orders(some) for some in scored]
    couples = sum(count for _, count in orders)
    problems = Counter(one.problem for some in rewards for one in some if one.value is None)
    pairs = sum(isinstance(one, RatedPair) for one in outcomes)
    return RewardMeasures(
        name=name,
        answers=sum(len(some) for some in rewards),
        scored=len(flat),
        problem=problems.most_common(1)[0][0] if problems else "",
        compared=sum(len(some) * (len(some) - 1) // 2 for some in scored),
        tied=sum(_ties(sorted(value for _, value in some)) for some in scored),
        mean=fmean(values) if values else None,
        spread=pstdev(values) if values else None,
        length=spearman(values, [len(answer.text) for answer, _ in flat]) if values else None,
        auroc=auroc([value for value, _ in keyed], right) if keyed else None,
        auroc_bounds=auroc_interval([value for value, _ in keyed], right) if keyed else None,
        keyed=len(keyed),
        ordered=sum(won for won, _ in orders) / couples if couples else None,
        orders=couples,
        pairs=pairs,
        dropped=dict(Counter(one for one in outcomes if not isinstance(one, RatedPair))),
        calls=use.calls / pairs if pairs else None,
        tokens=use.tokens / pairs if pairs else None,
    )


def _scored(prompt: PromptAnswers, rewards: Sequence[Reward]) -> Iterator[tuple[GivenAnswer, float]]:
    for answer, reward in zip(prompt.answers, rewards, strict=True):
        if reward.value is not None:
            yield answer, reward.value


def _ties(values: Sequence[float]) -> int:
    """Couples of alike values, which are sorted."""
    ties = first = 0
    for i, value in enumerate(values):
        while value - values[first] > ALIKE:
            first += 1
        ties += i - first
    return ties


def _orders(scored: Sequence[tuple[GivenAnswer, float]]) -> tuple[float, int]:
    """Of couples of a right and a wrong answer: those won by the right one, a tie counted half; all."""
    right = [value for answer, value in scored if answer.correct is True]
    wrong = sorted(value for answer, value in scored if answer.correct is False)
    won = 0.0
    for value in right:
        less = bisect_left(wrong, True, key=lambda other: value - other <= ALIKE)
        no_more = bisect_left(wrong, True, key=lambda other: other - value > ALIKE)
        won += (less + no_more) / 2
    return won, len(right) * len(wrong)
