"""How long a run will take: told before its first stage, and kept in it, so that its end is held against it.

Measures for some seconds what `selfstudy estimate` measures, with the model that the run has loaded.  Nothing
that it asks counts as asked by the run, and no result depends on it.  It costs no money: where a model of the
recipe is behind a server, nothing is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from selfstudy.errors import SelfstudyError
from selfstudy.models.base import LanguageModel
from selfstudy.models.counting import chat_counter
from selfstudy.progress import duration
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.records import STAGES, Document, Question
from selfstudy.run import ESTIMATE, Run
from selfstudy.run.models import block_of
from selfstudy.verbs.estimate import estimate
from selfstudy.verbs.measuring import measure_run, models_around


def forecast(
    run: Run,
    lm: Callable[[], LanguageModel],
    documents: Sequence[Document],
    prompts: Prompts,
    seconds: float,
    say: Callable[[str], object],
) -> None:
    """Says how long each stage may take and notes it in the run, if the run is new and its models are here.

    Args:
        lm: the model that is probed, without what counts its use; its loading is measured.
        seconds: about how long to ask it.
    """
    recipe = run.recipe
    begun = run.costs(0).get(ESTIMATE) or run.round(1).finished("probe") or run.round(1).ids(Question)
    if begun or not all(isinstance(block, LocalModel) for block in recipe.language_models.values()):
        return
    began = time.perf_counter()
    try:
        model = lm()
        loading = time.perf_counter() - began
        models = models_around(model, None, recipe, prompts)
        measured = measure_run(models, recipe, documents, prompts, seconds)
    except (SelfstudyError, RuntimeError) as error:  # the run itself will say what is wrong, if it is
        say(f"how long this will take could not be measured: {error}")
        return
    measured.loading = loading
    found = estimate(recipe, documents, prompts, chat_counter(block_of(recipe, "probe")), measured)
    stages = dict.fromkeys(STAGES, 0.0)
    for row in found.rows:
        stages[row.stage] += row.seconds or 0.0
    run.note_cost(ESTIMATE, 0, **stages)
    told = ", ".join(f"{stage} {duration(value)}" for stage, value in stages.items() if value)
    took = duration(time.perf_counter() - began)
    say(f"this will take about {duration(sum(stages.values()))}: {told} (measured in {took})")


def held_against(run: Run, stages: Sequence[str] = STAGES) -> str:
    """What stages took and what was told of them; empty where nothing was told."""
    took, told = run.seconds(), run.costs(0).get(ESTIMATE, {})
    done = [stage for stage in stages if stage in took]
    if not told or not done:
        return ""
    return (
        f"took {duration(sum(took[stage] for stage in done))}, the estimate said "
        f"{duration(sum(told.get(stage, 0.0) for stage in done))}"
    )
