"""Suites asked of a run that is there: the model before and what was taught, into the round that it is about.

The gate's decision stays as it was; the report shows them.  Knows which weights stand; nothing of what is
asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import RunError
from selfstudy.loop.suites import RunTools
from selfstudy.models.taught import is_complete
from selfstudy.run import Round, Run, standing
from selfstudy.verify.gains import Resampling
from selfstudy.verify.suites import kept
from selfstudy.verify.suites.asking import SuitePlan, ask_suites
from selfstudy.verify.suites.planning import ToolSource, planned, tools

if TYPE_CHECKING:
    from selfstudy.loop.resources import Resources
    from selfstudy.models.base import LanguageModel
    from selfstudy.recipe import Recipe
    from selfstudy.recipe.suites import SuiteBase
    from selfstudy.records import AdapterArm, Arm
    from selfstudy.verify.suites.figures import SuiteResult


def ask_run(
    resources: Resources,
    blocks: Sequence[SuiteBase],
    recipe: Recipe | None = None,
    source: ToolSource | None = None,
    arm: AdapterArm | None = None,
) -> dict[str, SuiteResult]:
    """The figures of suites before and after, of what is kept in the run and what is asked for now.

    Args:
        recipe: says who judges, and from what; None: the run's own.
        source: where that comes from; None: the run.
        arm: whose adapter is asked; None: that which was promoted, or decided on last.

    Raises:
        RunError: nothing was taught by that name, or a suite was asked in the run with other settings.
    """
    run, chosen = resources.run, recipe or resources.recipe
    round_, after, folder = taught(run, arm)
    has = source or RunTools(resources)
    plans = [planned(block, chosen, has.documents) for block in blocks]
    for one in plans:
        kept.require_same(round_, one.suite.name, one.settings)
    make = cache(lambda: tools(blocks, chosen, has))
    plan = SuitePlan(plans, make)
    resources.language_models.ledger.stage = "verify"
    base = standing.standing(round_)
    asked: list[tuple[Arm, Path | None]] = [("base", base)]
    asked += [(after, folder)] if folder is not None else []
    for name, place in asked:
        ask_suites(round_, name, _loader(resources, place, (base, folder)), plan, resources.reporter)
    block = resources.recipe.verify
    found = kept.results(round_, Resampling(block.confidence, block.resamples, resources.recipe.seed), after)
    return {one.suite.name: found[one.suite.name] for one in plans}


def taught(run: Run, arm: AdapterArm | None = None) -> tuple[Round, AdapterArm, Path | None]:
    """The round that the run's figures are about, and whose adapter is asked; None: nothing was taught yet.

    Raises:
        RunError: that arm was not trained, or is asked no suites.
    """
    if arm == "control":
        raise RunError("suites are not asked of the control", "take --arm taught or --arm weaker")
    promoted = standing.promoted_last(run)
    trained = [one for one in run.rounds if is_complete(one.adapter())]
    if promoted is None and not trained:
        if arm is not None:
            raise RunError(f"{run.path} has taught nothing yet", "leave out --arm, or teach first")
        return run.round(run.rounds[-1].number if run.rounds else 1), "taught", None
    round_ = promoted or trained[-1]
    gate = standing.decision(round_)
    wanted: AdapterArm = arm or (gate.arm if gate is not None else "taught")
    folder = round_.adapter(wanted)
    if not is_complete(folder):
        raise RunError(f"round {round_.number} of {run.path} has no adapter {wanted}", "leave out --arm")
    return round_, wanted, folder


def _loader(
    resources: Resources, folder: Path | None, others: Sequence[Path | None]
) -> Callable[[], LanguageModel]:
    def load() -> LanguageModel:
        for other in others:
            if other != folder:
                resources.language_models.forget(resources.recipe.model, other)
        return resources.lm(folder)

    return load
