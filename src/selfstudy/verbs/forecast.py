"""How long a run will take: told before its first stage, and kept in it, so that its end is held against it.

Measures for some seconds what `selfstudy estimate` measures, with the model that the run has loaded.  Nothing
that it asks counts as asked by the run, and no result depends on it.  It costs no money: where a model of the
recipe is behind a server, nothing is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from selfstudy.errors import SelfstudyError
from selfstudy.models.base import LanguageModel, prompt_tokens
from selfstudy.progress import duration
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.records import STAGES, Document, Question
from selfstudy.run import ESTIMATE, Run
from selfstudy.verbs.estimate import estimate
from selfstudy.verbs.measuring import measure_run, models_around


def forecast(
    run: Run,
    lm: LanguageModel,
    loading: float,
    documents: Sequence[Document],
    seconds: float,
    say: Callable[[str], object],
    *,
    training: bool = True,
) -> None:
    """Says how long each stage may take and notes it in the run; if that fails, says so and no more.

    Args:
        lm: the model that is probed, without what counts its use.
        loading: seconds that its loading took.
        seconds: about how long to ask it.
        training: whether to train a little too, on a copy of the model.
    """
    began = time.perf_counter()
    try:
        recipe, prompts = run.recipe, Prompts(run.recipe.prompts)
        models = models_around(lm, None, recipe, prompts)
        measured = measure_run(models, recipe, documents, prompts, seconds, training=training)
        measured.loading = loading
        found = estimate(recipe, documents, prompts, lambda chat: prompt_tokens(lm, [chat]), measured)
        stages = dict.fromkeys(STAGES, 0.0)
        for row in found.rows:
            stages[row.stage] += row.seconds or 0.0
        untold = recipe.library is not None and not measured.training
        if untold:
            del stages["teach"]  # most of it is training
        run.note_cost(ESTIMATE, 0, **stages)
        told = [f"{stage} {duration(value)}" for stage, value in stages.items() if value]
        told += ["teach not measured"] if untold else []
        total = duration(sum(stages.values())) + (" beside teaching" if untold else "")
        took = duration(loading + time.perf_counter() - began)
        say(f"this will take about {total}: {', '.join(told)} (measured in {took})")
    except Exception as error:  # whatever it is: the run itself will say what is wrong, if it is
        kind = "" if isinstance(error, SelfstudyError) else f"{type(error).__name__}: "
        say(f"how long this will take could not be measured: {kind}{error}")


def is_due(run: Run) -> bool:
    """Whether a run is new and its models are here; cheap, it loads nothing."""
    if run.costs(0).get(ESTIMATE) or run.round(1).finished("probe") or run.round(1).count(Question):
        return False
    return all(isinstance(block, LocalModel) for block in run.recipe.language_models.values())


def held_against(run: Run, stages: Sequence[str] = STAGES) -> str:
    """What stages took and what was told of them; empty where nothing was told."""
    took, told = run.seconds(), run.costs(0).get(ESTIMATE, {})
    done = [stage for stage in stages if stage in took and stage in told]
    if not done:
        return ""
    return (
        f"took {duration(sum(took[stage] for stage in done))}, the estimate said "
        f"{duration(sum(told[stage] for stage in done))}"
    )
