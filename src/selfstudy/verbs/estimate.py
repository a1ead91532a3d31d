"""What a recipe will cost, told before a run begins: calls, tokens, time, money, by stage.

The work is that of work.py, where what is not known before is assumed; the assumptions are said here.  With
what was measured (measuring.py) time can be told: that of the models, of scoring and of training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from selfstudy.prompts import Prompts
from selfstudy.recipe import EpochsBlock, ModelBlock, PromptedNLI, Recipe, name_of
from selfstudy.records import Chat, Document
from selfstudy.run.models import block_of
from selfstudy.verbs.measuring import Measured
from selfstudy.verbs.work import ANSWER_TOKENS, GAPS, KNOWN, RIGHT, Plan, Work, works_of


@dataclass(frozen=True)
class StageCost:
    """A stage's sums. `seconds` without a measurement, and `cost` without prices, are None."""

    stage: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    cost: float | None
    currency: str = ""


@dataclass(frozen=True)
class Estimate:
    """Rows by stage, and what was assumed, in words."""

    rows: tuple[StageCost, ...]
    assumed: tuple[str, ...]
    works: tuple[Work, ...] = field(default=(), repr=False)


def estimate(
    recipe: Recipe,
    documents: Sequence[Document],
    prompts: Prompts,
    count: Callable[[Chat], int],
    measured: Measured | None = None,
) -> Estimate:
    """What `selfstudy learn` would ask for.

    Args:
        documents: the library.
        count: tokens of a prompt.
        measured: from `measuring.measure_run`; None: nothing was measured.
    """
    plan = Plan(recipe, documents, prompts, count, measured or Measured())
    works = list(works_of(plan))
    beside = _beside(plan, works, measured) if measured is not None else {}
    rows = []
    for stage, role in dict.fromkeys((work.stage, work.role) for work in works):
        block = block_of(recipe, role or stage)
        if role and block == recipe.model:  # without a judge the model that answers judges
            block = block_of(recipe, stage)
        mine = [work for work in works if (work.stage, work.role) == (stage, role)]
        row = _row(stage, block, mine, measured, recipe.answering.block_size)
        if row.seconds is not None:
            row = replace(row, seconds=row.seconds + beside.pop(stage, 0.0))
        rows.append(row)
    return Estimate(tuple(rows), tuple(_assumptions(recipe, measured)), tuple(works))


def _row(
    stage: str, block: ModelBlock, works: Sequence[Work], measured: Measured | None, size: int
) -> StageCost:
    prompt = sum(work.prompt_tokens(block) for work in works)
    completion = sum(work.completion_tokens for work in works)
    prices = getattr(block, "prices", None)
    return StageCost(
        stage=stage,
        model=name_of(block),
        calls=round(sum(work.calls for work in works)),
        prompt_tokens=round(prompt),
        completion_tokens=round(completion),
        seconds=_seconds(works, measured, size),
        cost=(prompt * prices.prompt + completion * prices.completion) / 1e6 if prices else None,
        currency=prices.currency if prices else "",
    )


def _seconds(works: Sequence[Work], measured: Measured | None, size: int) -> float | None:
    """What the language model takes; what scorers ask it is in the time of scoring, where that is known."""
    if measured is None or not measured.speeds:
        return None
    speeds = measured.speeds
    slowest = min(speeds.values(), key=lambda speed: speed.per_second)
    return sum(
        speeds.get(work.kind, slowest).seconds(work.chats, work.each, size)
        for work in works
        if work.kind != "judge" or measured.scoring is None
    )


def _beside(plan: Plan, works: Sequence[Work], measured: Measured) -> dict[str, float]:
    """Seconds of a stage beside asking: loading the model, scoring, judging pairs, training."""
    recipe, questions = plan.recipe, plan.questions
    verify, pair, loading = recipe.verify, measured.pair or 0.0, measured.loading or 0.0
    found = {"probe": loading + questions * (measured.scoring or 0.0)}
    if recipe.library is None:
        return found
    found["gather"] = questions * (recipe.gather.samples + 2) * pair
    trained = 2 if verify.control else 1
    gaps = plan.gaps
    found["teach"] = trained * sum(
        one.start * plan.adapters
        + one.showing * gaps
        + one.example * one.examples * gaps * _epochs(block, one.examples * gaps)
        for block, one in ((recipe.teach.plan[place], one) for place, one in measured.training.items())
        if isinstance(block, EpochsBlock)
    )
    verifying = [work for work in works if work.stage == "verify"]
    asked = sum(work.chats for work in verifying)
    sampled = sum(work.chats * (work.each - 1) for work in verifying if work.greedy)
    found["verify"] = trained * loading + (2 * asked + sampled) * pair
    return found


def _epochs(block: EpochsBlock, items: float) -> float:
    return block.passes(max(1, round(items)))


def _assumptions(recipe: Recipe, measured: Measured | None) -> Iterator[str]:
    if measured is None or measured.gaps is None or measured.known is None:
        gaps, known, how = GAPS, KNOWN, "are assumed to be"
    else:
        gaps, known, how = measured.gaps, measured.known, "may be, by the few that were asked,"
    yield (
        f"{gaps:.0%} of the questions {how} gaps with a reference, and {known:.0%} known: with fewer, teach "
        "and verify ask less"
    )
    if recipe.library is not None:
        yield f"of general facts, asked before teaching where needed, {RIGHT:.0%} are assumed to be known"
    if recipe.library is not None and recipe.library.fetches:
        yield (
            "pages are not fetched for an estimate: passages of those are assumed to have "
            f"{recipe.gather.chunk_tokens} tokens, and time spent waiting for hosts is not counted"
        )
    if isinstance(recipe.nli, PromptedNLI):
        yield (
            "what nli: lm asks is not among the calls and tokens; what it takes is in the time, where that "
            "was measured"
        )
    if recipe.probe.adaptive is not None:
        yield "adaptive sampling asks for fewer samples than shown"
    if recipe.deploy.type == "dynamic":
        yield "every group of documents is assumed to have gaps, and an adapter of its own"
    elif recipe.verify.strengths and recipe.teach.adapter is not None:
        yield "asking an adapter that forgot once more (verify.strengths) is not counted"
    if recipe.rounds > 1:
        yield f"the figures are of one round; there may be {recipe.rounds}"
    if measured is None or not measured.speeds:
        yield f"answers are assumed to have {ANSWER_TOKENS:.0f} tokens; a measurement would tell"
    else:
        if measured.scoring is None:
            yield "time is the language model's: scoring and training add to it"
        elif recipe.library is not None and not measured.training:
            yield "training was not measured: it adds to the time of teach"
        probed = block_of(recipe, "probe")
        if any(block_of(recipe, role) != probed for role in ("gather", "judge", "teach", "verify")):
            yield f"every model is assumed to be as fast as the one that was measured, {name_of(probed)}"
