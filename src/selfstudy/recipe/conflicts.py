"""Choices of a recipe that are each allowed but cannot work together, and files that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from selfstudy.files import reading
from selfstudy.files.rows import SUFFIXES
from selfstudy.recipe import (
    MEANS_OVER_SAMPLES,
    NEED_ENTAILMENT,
    STDIN,
    CitingBlock,
    DeployBlock,
    DPOBlock,
    ExamplesBlock,
    LocalModel,
    LoraBlock,
    NoNLI,
    OnlineDPOBlock,
    Recipe,
    RemoteModel,
    ServerModel,
    paths,
    weights_of,
)
from selfstudy.recipe.library import ATLAS
from selfstudy.recipe.probe import INSTEAD, SCORER_FACTS

MOST = {"count": 10_000_000, "per_chunk": 1000, "tries": 1000, "proposals": 1000}
"""Of a way of finding questions; runs that were begun before may have more, and go on."""


def conflicts(recipe: Recipe) -> list[str]:
    """Choices that are each allowed but cannot work together, and files that are not there."""
    problems = [] if recipe.probe.ask else ["probe.ask is empty: name at least one way of finding questions"]
    problems += _of_asks(recipe)
    if recipe.gather.answers_from == "teacher" and recipe.teacher is None:
        problems.append("gather.answers_from = teacher: name the stronger model with `teacher`")
    problems += _of_sampling(recipe)
    problems += _without_logprobs(recipe)
    problems += _without_entailment(recipe)
    if recipe.budget.money is not None:
        problems += _unpriced(recipe, recipe.budget.money)
    if recipe.teach.known_heldout == 0:
        problems.append("teach.known_heldout = 0: verify then has no known questions to see forgetting with")
    if any(block.type == "socratic" for block in recipe.teach.plan):
        problems.append("teach: socratic is taught on imported dialogues: selfstudy import DIALOGUES.csv")
    problems += _of_refusing(recipe)
    problems += _of_online_training(recipe)
    problems += _of_citing(recipe)
    problems += _of_evaluating(recipe)
    problems += _of_weights(recipe)
    problems += _of_deploying(recipe)
    problems += _not_there(recipe)
    return problems


def _of_asks(recipe: Recipe) -> Iterator[str]:
    """What a way of finding questions needs, and what it cannot use."""
    reads_stdin = False
    for number, ask in enumerate(recipe.probe.ask):
        key = f"probe.ask.{number}"
        for name, most in MOST.items():
            if getattr(ask, name) > most:
                yield f"{key}.{name} = {getattr(ask, name)}: at most {most:,}"
        if ask.method == "documents" and recipe.library is None:
            yield f'{key}.method = "documents" needs a library: set library to a folder of documents'
        elif ask.method == "documents" and recipe.library is not None and not recipe.library.fixed:
            yield (
                f'{key}.method = "documents" needs documents before there are questions, and all of library '
                "is searched by question: add a folder, titles, a dump or urls, or ask in another way"
            )
        if ask.method == "external" and ask.source is None:
            yield f'{key}.method = "external" needs {key}.source: a text file, one topic a line, a feed, or -'
        if ask.method == "logs" and ask.source_file in (None, STDIN):
            yield f'{key}.method = "logs" needs {key}.source: a log of `selfstudy serve`, or a folder of logs'
        if ask.inconsistent and ask.method != "logs":
            yield f"{key}.inconsistent = true: only the method logs knows several answers to a question"
        if ask.feed is not None and ask.questions:
            yield f"{key}.source = {ask.feed}: a feed gives topics, no questions; leave `questions` out"
        if ask.feed is not None and ask.method == "oracle":
            yield f"{key}.source = {ask.feed}: the method oracle reads a file"
        if ask.source == STDIN and ask.method != "external":
            yield f"{key}.source = -: only the method external reads stdin"
        elif ask.source == STDIN:
            if reads_stdin:
                yield f"{key}.source = -: stdin can be read once, and an earlier one reads it"
            reads_stdin = True
        elif ask.source is not None and ask.method not in ("external", "oracle", "logs"):
            yield f"{key}.source: the method {ask.method} reads no source; leave it out"
        elif ask.source_file is not None and not reading.exists(ask.source_file):
            yield f"{key}.source: no file at {ask.source_file}"
        if ask.questions and ask.method != "external":
            yield f"{key}.questions = true: only the method external takes questions from outside"


def _of_sampling(recipe: Recipe) -> Iterator[str]:
    """Scorers against how many samples there are, and when."""
    probe = recipe.probe
    if probe.adaptive is not None and probe.scorer not in MEANS_OVER_SAMPLES:
        yield (
            f"probe.adaptive: the scorer {probe.scorer} needs all samples at once; probe.scorer can "
            f"be {', '.join(MEANS_OVER_SAMPLES)}"
        )
    for name in probe.scorers:
        if probe.samples < (fewest := SCORER_FACTS[name].samples):
            yield f"probe.samples = {probe.samples}: the scorer {name} needs {fewest} or more"


def _of_weights(recipe: Recipe) -> Iterator[str]:
    """What is trained, against how the weights are held."""
    full = recipe.teach.finetuning == "full"
    if full and recipe.teach.lora != LoraBlock():
        yield (
            "teach.lora: all weights are trained (teach.finetuning = full), no adapter; leave it out, or "
            "put `{}` in its place: --set 'teach.lora={}'"
        )
    if not isinstance(recipe.model, LocalModel):
        return
    probed = recipe.probe.model
    if (
        isinstance(probed, LocalModel)
        and probed.path == recipe.model.path
        and probed.load_in_4bit != recipe.model.load_in_4bit
    ):
        yield "probe.model.load_in_4bit: the weights are those of model, which says otherwise; say it in both"
    if not recipe.model.load_in_4bit:
        return
    if full:
        yield (
            "teach.finetuning = full: weights of 4 bits cannot be trained; take lora, or leave out "
            "model.load_in_4bit"
        )
    if recipe.deploy.type == "merged":
        yield (
            "deploy: an adapter cannot be merged into weights of 4 bits without loss; leave it out, "
            "or leave out model.load_in_4bit"
        )


def _of_deploying(recipe: Recipe) -> Iterator[str]:
    """What cannot be adapters beside the model, of which a router picks one."""
    if recipe.deploy.type != "dynamic":
        if recipe.deploy != DeployBlock(type=recipe.deploy.type):
            yield "deploy: groups and router are of `type: dynamic`; set it, or leave them out"
        return
    if recipe.teach.finetuning == "full":
        yield (
            "deploy: dynamic is adapters, and teach.finetuning = full trains the whole model; take lora, or "
            "deploy: adapter"
        )
    weights = weights_of(recipe.model)
    if weights is not None and weights.adapter is not None:
        yield (
            "deploy: dynamic trains adapters on the model itself, and model.adapter stands in between; leave "
            "it out, or give the model with it merged in"
        )
    for block in recipe.teach.plan:
        brought = (
            block.prompts
            if isinstance(block, OnlineDPOBlock)
            else block.data
            if isinstance(block, CitingBlock)
            else None
        )
        if brought is not None:
            yield (
                f"teach: {block.type} brings questions of its own ({brought}), which are of no source that "
                "an adapter could be of; leave them out, or take deploy: adapter"
            )


def _of_refusing(recipe: Recipe) -> Iterator[str]:
    """Who would learn to refuse, and by what it would be measured."""
    if not recipe.teach.refuse_unverifiable:
        return
    if not any(isinstance(block, ExamplesBlock | DPOBlock) for block in recipe.teach.plan):
        yield "teach.refuse_unverifiable: no phase trains on answers or on their pairs: sft, distill, dpo"
    if recipe.teach.refusals.heldout == 0:
        yield "teach.refusals.heldout = 0: verify then has no question to see refusing with"
    if recipe.deploy.type == "dynamic":
        yield (
            "teach.refuse_unverifiable: with deploy = dynamic a question that no adapter was taught is "
            "answered by the model as it came, so refusing would never be asked for: take deploy.type = "
            "adapter or merged"
        )


def _of_online_training(recipe: Recipe) -> Iterator[str]:
    """Who judges, and which prompts."""
    for block in recipe.teach.plan:
        if not isinstance(block, OnlineDPOBlock):
            continue
        if block.judge == "judge" and recipe.judge is None and recipe.teacher is None:
            yield "teach: online-dpo with judge = judge: name one with `judge`, or take policy or reference"
        if block.prompts is not None and not reading.exists(block.prompts):
            yield f"teach: online-dpo with prompts: no file at {block.prompts}"
        elif (
            block.prompts is not None
            and block.reward.by_rubric
            and block.prompts.suffix.lower() not in SUFFIXES
        ):
            yield (
                f"teach: online-dpo with reward = {block.reward.type}: lines of text hold no rubric; "
                f"give prompts as rows ({', '.join(SUFFIXES)}) with `gold`"
            )


def _of_citing(recipe: Recipe) -> Iterator[str]:
    """Questions with documents, and who judges."""
    for block in recipe.teach.plan:
        if not isinstance(block, CitingBlock):
            continue
        if block.data is not None and not reading.exists(block.data):
            yield f"teach: {block.type} with data: no file at {block.data}"
        reward = block.reward
        if not any((reward.recall, reward.precision, reward.correctness, reward.refusal)):
            yield f"teach: {block.type}.reward: all parts are switched off, so that no answer earns anything"
        if isinstance(recipe.nli, NoNLI):
            yield (
                f"teach: {block.type} rewards what an entailment model finds supported, and nli is none: "
                "name one with nli.path, or ask a language model with nli: lm"
            )


def _of_evaluating(recipe: Recipe) -> Iterator[str]:
    """Who judges what was taught."""
    cites = any(isinstance(block, CitingBlock) for block in recipe.teach.plan)
    if cites and isinstance(recipe.verify.nli, NoNLI):
        yield (
            "verify.nli = none: teach trains to cite, and citations are evaluated by an entailment model: "
            "name one with verify.nli.path, or leave verify.nli out"
        )


def _not_there(recipe: Recipe) -> Iterator[str]:
    """Files and folders that a recipe names, and that are missing."""
    key = recipe.answer_key
    if key not in (None, "atlas") and not reading.exists(Path(key)):
        yield f"answer_key: nothing at {key}"
    for place in _places(recipe):
        if place != ATLAS and not reading.exists(Path(place)):
            yield f"library: nothing at {place}"
    facts = recipe.verify.known_questions
    if facts is not None and not reading.exists(Path(facts)):
        yield f"verify.known_questions: nothing at {facts}"
    for key in paths.MODEL:
        block, _, name = key.rpartition(".")
        value = getattr(attrgetter(block)(recipe), name, None)
        if value and name == "model" and paths.is_name(vars(attrgetter(block)(recipe))):
            continue
        # a relative one that is not there is a Hub id
        if value and Path(value).is_absolute() and not reading.exists(Path(value)):
            kind = "file" if value.lower().endswith(".gguf") else "folder"
            yield f"{key}: no model {kind} at {value}"
    if recipe.prompts is not None and not (reading.exists(recipe.prompts) and recipe.prompts.is_dir()):
        yield f"prompts: no folder at {recipe.prompts}"


def _places(recipe: Recipe) -> Iterator[str]:
    """The folders and files of the library."""
    for source in recipe.library.sources if recipe.library is not None else ():
        named = {"folder": "path", "wikipedia": "dump", "urls": "file"}.get(source.type)
        if named is not None and (place := getattr(source, named)) is not None:
            yield place


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
