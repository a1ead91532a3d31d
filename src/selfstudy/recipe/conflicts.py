"""Choices of a recipe that are each allowed but cannot work together, and files that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from selfstudy.files import reading
from selfstudy.recipe import (
    MEANS_OVER_SAMPLES,
    NEED_ENTAILMENT,
    STDIN,
    NoNLI,
    Recipe,
    RemoteModel,
    ServerModel,
    paths,
)
from selfstudy.recipe.probe import INSTEAD, SCORER_FACTS


def conflicts(recipe: Recipe) -> list[str]:
    """Choices that are each allowed but cannot work together, and files that are not there."""
    problems = []
    if not recipe.probe.ask:
        problems.append("probe.ask is empty: name at least one way of finding questions")
    for number, ask in enumerate(recipe.probe.ask):
        key = f"probe.ask.{number}"
        if ask.method == "documents" and recipe.library is None:
            problems.append(
                f'{key}.method = "documents" needs a library: set library to a folder of documents'
            )
        if ask.method == "external" and ask.source is None:
            problems.append(
                f'{key}.method = "external" needs {key}.source: a text file, one topic a line, or -'
            )
        if ask.source == STDIN and ask.method != "external":
            problems.append(f"{key}.source = -: only the method external reads stdin")
        elif ask.source == STDIN and STDIN in [other.source for other in recipe.probe.ask[:number]]:
            problems.append(f"{key}.source = -: stdin can be read once, and an earlier one reads it")
        elif ask.source is not None and ask.method not in ("external", "oracle"):
            problems.append(f"{key}.source: the method {ask.method} reads none; external and oracle do")
        elif ask.source is not None and ask.source != STDIN and not reading.exists(ask.source):
            problems.append(f"{key}.source: no file at {ask.source}")
        if ask.questions and ask.method != "external":
            problems.append(f"{key}.questions = true: only the method external takes questions from outside")
    if recipe.probe.adaptive is not None and recipe.probe.scorer not in MEANS_OVER_SAMPLES:
        problems.append(
            f"probe.adaptive: the scorer {recipe.probe.scorer} needs all samples at once; probe.scorer can "
            f"be {', '.join(MEANS_OVER_SAMPLES)}"
        )
    elif recipe.probe.adaptive is not None and recipe.probe.adaptive.first > recipe.probe.samples:
        problems.append(
            f"probe.adaptive.first = {recipe.probe.adaptive.first}: that is more than probe.samples = "
            f"{recipe.probe.samples}, so that nothing would ever stop early"
        )
    problems += (
        f"probe.samples = {recipe.probe.samples}: the scorer {name} needs {fewest} or more"
        for name in recipe.probe.scorers
        if recipe.probe.samples < (fewest := SCORER_FACTS[name].samples)
    )
    problems += _without_logprobs(recipe)
    problems += _without_entailment(recipe)
    if recipe.budget.money is not None:
        problems += _unpriced(recipe, recipe.budget.money)
    if recipe.teach.known_heldout == 0:
        problems.append("teach.known_heldout = 0: verify then has no known questions to see forgetting with")
    for name in ("library", "answer_key"):
        value = getattr(recipe, name)
        if value not in (None, "atlas") and not reading.exists(Path(value)):
            problems.append(f"{name}: nothing at {value}")
    facts = recipe.verify.known_questions
    if facts is not None and not reading.exists(Path(facts)):
        problems.append(f"verify.known_questions: nothing at {facts}")
    for key in paths.MODEL:
        block, _, name = key.rpartition(".")
        value = getattr(attrgetter(block)(recipe), name, None)
        if value and name == "model" and paths.is_name(vars(attrgetter(block)(recipe))):
            continue
        # a relative one that is not there is a Hub id, which no file is
        if not value or reading.exists(Path(value)):
            continue
        if Path(value).is_absolute():
            problems.append(f"{key}: no model folder at {value}")
        elif value.lower().endswith(".gguf"):
            problems.append(f"{key}: no model file at {value}")
    if recipe.prompts is not None and not (reading.exists(recipe.prompts) and recipe.prompts.is_dir()):
        problems.append(f"prompts: no folder at {recipe.prompts}")
    return problems


def _without_logprobs(recipe: Recipe) -> Iterator[str]:
    """Scorers that would fail for every answer."""
    block = recipe.probe.model or recipe.model
    for name in recipe.probe.scorers:
        if SCORER_FACTS[name].words and isinstance(block, RemoteModel | ServerModel):
            yield (
                f"probe: the scorer {name} needs the log-probability of each word, which no server gives: "
                "take passage-likelihood, or a model of type local"
            )
            continue
        if not SCORER_FACTS[name].logprobs:
            continue
        if isinstance(block, RemoteModel) and not block.logprobs:
            yield (
                f"probe: the scorer {name} needs log-probabilities: set {_of(recipe)}.logprobs = true, if "
                "the server gives them, or take semantic-entropy-discrete"
            )
        elif isinstance(block, ServerModel):
            yield (
                f"probe: the scorer {name} needs log-probabilities, which a model of type server gives us "
                "none of: take semantic-entropy-discrete, or type remote with logprobs = true"
            )


def _without_entailment(recipe: Recipe) -> Iterator[str]:
    """Scorers that would be another one by their own name."""
    if not isinstance(recipe.nli, NoNLI):
        return
    for name in NEED_ENTAILMENT:
        if name in recipe.probe.scorers:
            yield (
                f"probe: the scorer {name} needs an entailment model, and nli is none (so it is where nli is "
                f"left out, but for the model atlas): take {INSTEAD[name]}, or name one with nli.path, or "
                "ask a language model with nli: lm"
            )


def _of(recipe: Recipe) -> str:
    return "model" if recipe.probe.model is None else "probe.model"


def _unpriced(recipe: Recipe, money: float) -> Iterator[str]:
    """Why a limit in money would not hold."""
    remote = {key: block for key, block in recipe.language_models.items() if isinstance(block, RemoteModel)}
    if not remote:
        yield f"budget.money = {money:g}: no model of the recipe has `prices`"
    for key, block in remote.items():
        if block.prices is None:
            yield f"budget.money = {money:g}: {key} has no `prices`, so that its cost would not count"
    currencies = sorted({block.prices.currency for block in remote.values() if block.prices is not None})
    if len(currencies) > 1:
        yield f"budget.money = {money:g}: prices are in {' and '.join(currencies)}: give all in one"
