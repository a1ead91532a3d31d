"""Any completions to preference pairs: `selfstudy rate`.

Answers are rewarded (judging/rewards.py), a block of prompts at a time; what a judge said is kept in a cache,
so that a run that was killed goes on, and another margin or zeta costs nothing.  The best answer of a prompt
against its worst is a pair.  Knows nothing of runs, nor of how the figures are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from selfstudy.errors import DataError, RecipeError
from selfstudy.files.cache import Cache
from selfstudy.judging.judge import Judge, JudgeUse, PromptedJudge
from selfstudy.judging.missing_reward import ZETA
from selfstudy.judging.rewarders import rewarder
from selfstudy.judging.rewards import RandomRewards, Reward, Rewarder
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.recipe import ModelBlock, Recipe
from selfstudy.run.models import own_block
from selfstudy.stats import plain
from selfstudy.verbs.rating.audit import BadAnswerFigures, OrderFigures, bad_answers, order_figures
from selfstudy.verbs.rating.choosing import DROPPED, Dropped, RatedPair, choose
from selfstudy.verbs.rating.given import Given
from selfstudy.verbs.rating.judge_identity import identity, require_reachable
from selfstudy.verbs.rating.measures import RewardMeasures, measure
from selfstudy.verbs.rating.outputs import require_cache

if TYPE_CHECKING:
    from selfstudy.models.base import Embedder, LanguageModel
    from selfstudy.models.server.servers import Servers

REWARDS = ("missing", "rating", "rubric", "rubric-implicit", "random")
COMPARED = ("missing", "rating", "rubric", "random")
"""What is put side by side; missing and rating are two readings of the same replies."""


@dataclass(frozen=True, slots=True)
class RateOptions:
    """How to rate.

    Attributes:
        rewards: out of `REWARDS`; pairs are made of the first.
        zeta: share of the similarity in the reward `missing`.
        margin: the best answer must earn more than the worst by more than this.
        at_once: criteria of one call; None: all of an answer.
        block: answers judged between two writes to the cache, about.
        seed: of the random control and of what the audit draws.
    """

    rewards: tuple[str, ...] = ("missing",)
    zeta: float = ZETA
    margin: float = 0.0
    at_once: int | None = None
    block: int = 256
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RewardColumn:
    """One reward of all answers.

    Attributes:
        rewards: of each prompt's answers, in order.
        outcomes: the pair of each prompt, or why there is none.
        bad: what bad answers earned; empty where nobody tried.
    """

    name: str
    rewards: list[list[Reward]]
    outcomes: list[RatedPair | Dropped]
    measures: RewardMeasures
    bad: tuple[BadAnswerFigures, ...] = ()

    @property
    def pairs(self) -> list[RatedPair]:
        """The preference pairs."""
        return [one for one in self.outcomes if isinstance(one, RatedPair)]


class JudgeSource(Protocol):
    """What rewards are made with."""

    def judge(self) -> Judge:
        """One that counts for itself what it costs."""

    @property
    def embedder(self) -> Embedder:
        """For similarities."""


class PromptedJudges:
    """Judges that ask the recipe's judge, with one cache for all; fulfils `JudgeSource`.

    A model is loaded when it is first needed.
    """

    def __init__(self, recipe: Recipe, path: Path, servers: Servers) -> None:
        """`path` is that of the cache.

        Raises:
            RunError: another file is there.
            ModelError: the judge is not there, or may not be asked.
        """
        require_cache(path)
        if (block := own_block(recipe, "judge")) is not None:
            require_reachable(block)
        self._recipe = recipe
        self._path = path
        self._servers = servers

    def judge(self) -> Judge:
        """See `JudgeSource.judge`.

        Raises:
            RecipeError: nobody was chosen.
            ModelError: it cannot be loaded.
        """
        lm, block = self._loaded
        return PromptedJudge(lm, Prompts(self._recipe.prompts), self._cache, identity(block))

    @cached_property
    def embedder(self) -> Embedder:
        """The recipe's."""
        from selfstudy.models import load_embedder

        return load_embedder(self._recipe.embedder)

    def close(self) -> None:
        """Lets go of the cache."""
        with suppress(KeyError):
            vars(self).pop("_cache").close()

    @cached_property
    def _cache(self) -> Cache:
        return Cache(self._path, shared=False)

    @cached_property
    def _loaded(self) -> tuple[LanguageModel, ModelBlock]:
        from selfstudy.models import load_lm

        block = own_block(self._recipe, "judge")
        if block is None:
            raise RecipeError(
                "this reward asks a judge, and none was chosen",
                "give --judge MODEL, or --export FILE for a person to judge",
            )
        return load_lm(block, cache=self._recipe.cache, servers=self._servers), block


class SheetJudge:
    """What somebody has judged in a file; fulfils `JudgeSource`."""

    def __init__(self, sheet: Judge, recipe: Recipe) -> None:
        self._sheet = sheet
        self._recipe = recipe

    def judge(self) -> Judge:
        """The file."""
        return self._sheet

    @cached_property
    def embedder(self) -> Embedder:
        """The recipe's."""
        from selfstudy.models import load_embedder

        return load_embedder(self._recipe.embedder)


def rate(given: Given, options: RateOptions, source: JudgeSource, report: Reporter) -> list[RewardColumn]:
    """Rewards all answers, by one reward after the other.

    Raises:
        RecipeError: a reward asks a judge, and there is none.
        ModelError: a model cannot be loaded, or cannot be used.
    """
    return [_column(name, given, options, source, report) for name in options.rewards]


def audited(
    column: RewardColumn, given: Given, options: RateOptions, source: JudgeSource, report: Reporter
) -> RewardColumn:
    """The column with what bad answers earn by its reward; the random control is not tried."""
    if column.name == "random":
        return column
    rewarder, _ = _rewarder(column.name, options, source)
    with report.task(f"bad answers, {column.name}", 1) as advance:
        bad = bad_answers(given.prompts, column.rewards, rewarder, options.seed)
        advance(1)
    return replace(column, bad=tuple(bad))


def both_orders(
    column: RewardColumn, options: RateOptions, source: JudgeSource, report: Reporter
) -> OrderFigures | None:
    """The pairs of a reward judged side by side; None where nothing that was said can be read."""
    with report.task("both orders", 2 * len(column.pairs)) as advance:
        return order_figures(column.pairs, source.judge(), options.seed, advance)


def require_scored(column: RewardColumn) -> None:
    """Refuses to go on where no answer got a reward.

    Raises:
        DataError: none did; says the commonest reason.
    """
    if not column.measures.scored:
        raise DataError(
            f"none of {column.measures.answers:,} answers got a reward ({column.name}): "
            f"{column.measures.problem}",
            "try the judge (selfstudy doctor --model MODEL), or take another --judge or --reward",
        )


def require_pairs(column: RewardColumn) -> None:
    """Refuses to write a file without a pair.

    Raises:
        DataError: there is none; says what came of the prompts.
    """
    if not column.pairs:
        counts = column.measures.dropped
        said = ", ".join(f"{counts[why]:,} {why}" for why in DROPPED if why in counts)
        raise DataError(
            f"no pair came of {len(column.outcomes):,} prompts: {said}",
            "give more answers to each prompt, a smaller --margin, or another --reward",
        )


def figures(columns: Sequence[RewardColumn], orders: OrderFigures | None) -> dict[str, Any]:
    """All that was measured, as plain data; an interval is {value, low, high}."""
    return {
        "rewards": {one.name: {**plain(one.measures), "bad_answers": plain(one.bad)} for one in columns},
        "both_orders": plain(orders),
    }


def _column(
    name: str, given: Given, options: RateOptions, source: JudgeSource, report: Reporter
) -> RewardColumn:
    rewarder, use = _rewarder(name, options, source)
    rewards: list[list[Reward]] = []
    with report.task(name, given.answers) as advance:
        size = max(1, options.block * len(given.prompts) // given.answers)
        for start in range(0, len(given.prompts), size):
            some = given.prompts[start : start + size]
            found = iter(rewarder.rewards([one for prompt in some for one in prompt.responses], advance))
            rewards += [[next(found) for _ in prompt.answers] for prompt in some]
    outcomes = [choose(p, some, options.margin) for p, some in zip(given.prompts, rewards, strict=True)]
    return RewardColumn(name, rewards, outcomes, measure(name, given.prompts, rewards, outcomes, use))


def _rewarder(name: str, options: RateOptions, source: JudgeSource) -> tuple[Rewarder, JudgeUse]:
    """What rewards under a name, and the count of what its judge costs."""
    if name == "random":
        return RandomRewards(options.seed), JudgeUse()
    judge = source.judge()
    embedder = source.embedder if name == "missing" and options.zeta else None
    made = rewarder(name, judge, zeta=options.zeta, embedder=embedder, at_once=options.at_once)
    return made, judge.use
