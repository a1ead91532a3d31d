"""Recipes from YAML plus `--set a.b=c`, checked before a model loads; and back to YAML, compared, identified.

All problems of a recipe are told at once, each with its key, the value found and what is allowed.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from selfstudy.errors import RecipeError
from selfstudy.files import plain_yaml, reading
from selfstudy.recipe import (
    MEANS_OVER_SAMPLES,
    MODEL_KEYS,
    NEED_ENTAILMENT,
    STDIN,
    NoNLI,
    Recipe,
    RemoteModel,
    ServerModel,
)
from selfstudy.recipe.base import SECRET, Block
from selfstudy.recipe.models import NAMES_OF_STORES
from selfstudy.recipe.probe import INSTEAD, SCORER_FACTS
from selfstudy.recipe.values import brief, kind_of, leaves, shown, unreadable, without_keys, wrong
from selfstudy.records import digest
from selfstudy.secrets import NOT_SHOWN, names_secret, without_secrets
from selfstudy.text import shortened


def load_recipe(path: Path | str | None, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in the YAML file `path` (None: defaults), changed by overrides such as "probe.samples=5".

    An override's value is read as YAML; `probe.ask.0.count=50` reaches into a list.  Relative paths resolve
    against the recipe's folder, those in overrides against the working directory.

    Raises:
        RecipeError: lists every problem at once: unknown keys with the nearest known one, values with what is
            allowed, choices that do not fit together, files that are not there.
    """
    data: dict[str, Any] = {}
    folder = Path.cwd()
    if path is not None:
        path = Path(path)
        folder = path.absolute().parent
        data = _absolute(read_yaml(path), folder)
    recipe = make_recipe(data, overrides, str(path) if path is not None else "the recipe")
    problems = _conflicts(recipe)
    if problems:
        raise _refusal(str(path) if path is not None else "the recipe", problems)
    return recipe


def make_recipe(data: dict[str, Any], overrides: Sequence[str], where: str = "the recipe") -> Recipe:
    """A checked Recipe from plain data, which overrides change in place; looks at no files."""
    for override in overrides:
        _override(data, override)
    return parse_recipe(data, where)


def parse_recipe(data: Mapping[str, Any], where: str) -> Recipe:
    """A checked Recipe from plain data; `where` is what error messages call it. Looks at no files."""
    if broken := list(islice(unreadable(data), _MOST_TOLD + 1)):
        raise _refusal(where, broken)
    problems = list(islice(_unknown_keys(data, Recipe), _MOST_TOLD + 1))
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        wrong = (e for e in error.errors() if e["type"] != "extra_forbidden")
        problems += [_readable(e, data) for e in islice(wrong, _MOST_TOLD + 1)]
        raise _refusal(where, problems) from None
    return recipe


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in the YAML file `path`.

    Raises:
        RecipeError: the file is missing, empty, not text, not YAML or not a mapping.
    """
    try:
        data = plain_yaml.load(reading.text(path, plain_yaml.LARGEST))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}", _SEE) from None
    except (plain_yaml.NotPlainError, UnicodeDecodeError) as error:
        said = without_keys(" ".join(str(error).split()))
        raise RecipeError(f"the recipe {path} is not YAML: {said}", _SEE) from None
    if not isinstance(data, dict):
        found = "empty" if data is None else f"a {type(data).__name__}, not key: value lines"
        raise RecipeError(f"the recipe {path} is {found}", _SEE)
    return data


def to_yaml(recipe: Recipe) -> str:
    """The whole recipe, defaults included, as YAML; `parse_recipe(read_yaml(path))` reads it back."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def recipe_digest(recipe: Recipe) -> str:
    """16 hex digits: equal for equal recipes, however they were written."""
    return digest(json.dumps(_identity(recipe), sort_keys=True))


def changed_keys(old: Recipe, new: Recipe) -> list[str]:
    """What differs, a line per key: "probe.threshold: 0.5 -> 0.6"; empty if nothing does."""
    before = dict(leaves(_identity(old)))
    after = dict(leaves(_identity(new)))
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key}: {_show(before.get(key, _ABSENT))} -> {_show(after.get(key, _ABSENT))}"
        for key in keys
        if before.get(key, _ABSENT) != after.get(key, _ABSENT)
    ]


def _identity(recipe: Recipe) -> dict[str, Any]:
    """What makes a run what it is: all but the budget, cache, servers at once, smoke check, and keys."""
    data = recipe.model_dump(mode="json", exclude={"budget", "cache", "servers", "smoke"})
    for key in MODEL_KEYS:  # where its key comes from changes no answer
        *blocks, name = key.split(".")
        block = reduce(dict.__getitem__, blocks, data)[name] or {}
        for ours in ("api_key_env", "api_key_file"):
            block.pop(ours, None)
    return data


MOVED = {
    "probe.temperature": "answering.temperature",
    "probe.repetition_penalty": "answering.repetition_penalty",
    "probe.max_new_tokens": "answering.max_new_tokens",
    "probe.block_size": "answering.block_size",
    "gather.max_new_tokens": "answering.reading_tokens",
}
"""Keys of version 0.1.0, and where they are now."""
_SEE = "`selfstudy learn --help` shows the smallest recipe"
_ABSENT = object()
_LONGEST_KEY = 100
_DEEPEST = 20
_MOST_TOLD, _LONGEST_TOLD = 20, 400
"""Problems that are told at once, and the characters of each."""
_MODEL = (
    *(f"{block}.{name}" for block in MODEL_KEYS for name in ("path", "model", "weights")),
    "nli.path",
    "embedder.path",
)
"""Keys that hold a folder, a Hub id or an alias."""
_PATHS = (
    *(f"{block}.{name}" for block in MODEL_KEYS for name in ("adapter", "api_key_file")),
    "library",
    "answer_key",
    "verify.known_questions",
    "prompts",
    "probe.ask.source",
)
"""Keys that hold a path (or the alias `atlas`)."""


def _refusal(where: str, problems: Sequence[str]) -> RecipeError:
    count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    told = (shortened(without_secrets(problem), _LONGEST_TOLD) for problem in problems[:_MOST_TOLD])
    lines = "\n".join(f"    {problem}" for problem in told)
    if len(problems) > _MOST_TOLD:
        count, lines = f"more than {_MOST_TOLD} problems", f"{lines}\n    ..."
    return RecipeError(
        f"{where} has {count}:\n{lines}", "change the recipe, or override a key with --set key=value"
    )


def _show(value: object) -> str:
    return "(absent)" if value is _ABSENT else shown(value)


def _blocks(annotation: Any) -> list[type[Block]]:
    """The block types inside an annotation, such as both of `LocalModel | ScriptedModel`."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return [annotation]
    return [block for part in get_args(annotation) for block in _blocks(part)]


def _known_keys(block: type[Block], prefix: str = "") -> Iterator[str]:
    """Every dotted key of a block and of the blocks in it; lists have no index."""
    for name, field in block.model_fields.items():
        yield prefix + name
        for inner in _blocks(field.annotation):
            yield from _known_keys(inner, f"{prefix}{name}.")


def _unknown_keys(data: Mapping[Any, Any], block: type[Block], prefix: str = "") -> Iterator[str]:
    for name, value in data.items():
        field = block.model_fields.get(str(name))
        if not isinstance(name, str):
            yield f"{prefix}{name}: the key is {kind_of(name)}, not text: put it in quotes"
        elif field is None and (new := MOVED.get(f"{prefix}{name}")) is not None:
            yield f"{prefix}{name}: is now {new}, which all stages share"
        elif field is None:
            yield f"{prefix}{brief(name)}: unknown key{_nearest(name, block, prefix)}"
        if field is None or not isinstance(name, str):
            continue
        kinds = _blocks(field.annotation)
        for index, part in enumerate(value if isinstance(value, list) else [value]):
            if kinds and isinstance(part, dict):
                kind = next((k for k in kinds if _tag(k) == part.get("type")), kinds[0])
                at = f"{prefix}{name}.{index}." if isinstance(value, list) else f"{prefix}{name}."
                yield from _unknown_keys(part, kind, at)


def _tag(block: type[Block]) -> object:
    """The `type` by which a union knows this block, None if it has none."""
    return block.model_fields["type"].default if "type" in block.model_fields else None


def _nearest(name: str, block: type[Block], prefix: str) -> str:
    """A suggestion: a key of the same block with nearly this name, else one of that name elsewhere."""
    name = name[:_LONGEST_KEY]
    beside = difflib.get_close_matches(name, block.model_fields, n=1, cutoff=0.6)
    if beside:
        return f"; did you mean {prefix}{beside[0]}?"
    everywhere = {key.rpartition(".")[2]: key for key in reversed(list(_known_keys(Recipe)))}
    elsewhere = difflib.get_close_matches(name, everywhere, n=1, cutoff=0.8)
    if elsewhere:
        return f"; did you mean {everywhere[elsewhere[0]]}?"
    return f"; known here: {', '.join(block.model_fields)}"


def _readable(error: Any, data: Any) -> str:
    """One line for one pydantic error: the dotted key, the value found, what is allowed."""
    key: list[str] = []
    for place, part in enumerate(error["loc"]):
        inside = isinstance(data, (dict, list)) and (
            part in data if isinstance(data, dict) else isinstance(part, int) and part < len(data)
        )
        if not inside and place < len(error["loc"]) - 1:
            continue  # the tag of a union: the recipe's author never wrote it
        key.append(str(part))
        data = data[part] if inside else None
    name = ".".join(key) or "the recipe"
    if error["type"] == "missing":
        return f"{name}: missing"
    if error["type"] == "model_type":
        return f"{name} = {wrong(error['input'])}: must be a block of key: value lines"
    if error["type"] == "union_tag_invalid":
        return f"{name}.type = {wrong(error['ctx']['tag'])}: must be one of {error['ctx']['expected_tags']}"
    rule = without_keys(error["msg"].replace("Input should be", "must be"))
    hidden = error["type"] == SECRET or name.endswith(_MISTAKEN) or any(part in _PASTED for part in key)
    return f"{name} = {NOT_SHOWN if hidden else wrong(error['input'])}: {rule}"


_MISTAKEN = (".api_key_env", ".api_key_file", ".base_url", ".url")
_PASTED = ("prices", "extra", "args")
"""Keys into which people put by mistake what nobody should read."""


def _absolute(value: Any, base: Path, key: str = "") -> Any:
    """Plain data with its relative paths made absolute against `base`; aliases, ids and names stay."""
    if isinstance(value, dict):
        named = key in MODEL_KEYS and _is_name(value)
        return {
            name: part
            if named and name == "model"
            else _absolute(part, base, f"{key}.{name}" if key else str(name))
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_absolute(part, base, key) for part in value]
    if (
        not isinstance(value, str)
        or not value
        or value in ("atlas", str(STDIN))
        or key not in (*_MODEL, *_PATHS)
    ):
        return value
    try:
        path = base / Path(value).expanduser()
    except RuntimeError as error:  # ~somebody, who has no account here
        raise RecipeError(
            f"{key} = {wrong(value)}: {without_keys(str(error))}", "write the folder out"
        ) from None
    if key in _MODEL and not (value.startswith((".", "/", "~")) or reading.exists(path)):
        return value
    return os.path.normpath(path)


def _is_name(block: Mapping[str, Any]) -> bool:
    """Whether `model` of a model's block is what a server calls it, and no path."""
    return block.get("type") == "remote" or bool(block.get("url")) or block.get("engine") in NAMES_OF_STORES


def _override(data: dict[str, Any], override: str) -> None:
    """Apply one "a.b=c" to plain data, in place."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    given = f"--set {brief(key + equals + (NOT_SHOWN if names_secret(parts[-1]) else text))}"
    if not equals or not all(parts):
        raise RecipeError(f"{given}: not of the form key=value", "for example --set probe.samples=5")
    if len(parts) > _DEEPEST:
        raise RecipeError(f"{given}: no key has {len(parts):,} parts")
    try:
        value = plain_yaml.load(text)
    except plain_yaml.NotPlainError as error:
        said = without_keys(str(error))
        raise RecipeError(f"{given}: the value is not YAML: {said}") from None
    value = _absolute(value, Path.cwd(), ".".join(part for part in parts if not part.isdigit()))
    default: Any = Recipe().model_dump(mode="json")
    here: Any = data
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        default = _item(default, part)
        if isinstance(here, list):
            if not _is_index(part, here):
                block, item = brief(".".join(parts[:place])), brief(part)
                raise RecipeError(f"{given}: {block} has no item {item!r}; it has {len(here)}")
            index: Any = int(part)
        elif isinstance(here, dict):
            index = part
            if not last and here.get(part) is None:
                here[part] = list(default) if isinstance(default, list) else {}
        else:
            raise RecipeError(f"{given}: {brief('.'.join(parts[:place]))} is a value, not a block")
        if last:
            here[index] = value
        here = here[index]


def _item(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and _is_index(part, value):
        return value[int(part)]
    return None


def _is_index(part: str, items: Sequence[Any]) -> bool:
    return part.isdecimal() and len(part) < 10 and int(part) < len(items)


def _conflicts(recipe: Recipe) -> list[str]:
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
        elif ask.source is not None and ask.source != STDIN and not reading.exists(ask.source):
            problems.append(f"{key}.source: no file at {ask.source}")
        if ask.questions and ask.method != "external":
            problems.append(f"{key}.questions = true: only the method external takes questions from outside")
    if recipe.probe.adaptive is not None and recipe.probe.scorer not in MEANS_OVER_SAMPLES:
        problems.append(
            f"probe.adaptive: the scorer {recipe.probe.scorer} needs all samples at once; probe.scorer can "
            f"be {', '.join(MEANS_OVER_SAMPLES)}"
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
    for key in _MODEL:
        block, _, name = key.rpartition(".")
        value = getattr(attrgetter(block)(recipe), name, None)
        if value and name == "model" and _is_name(vars(attrgetter(block)(recipe))):
            continue
        # a relative one that is not there is a Hub id
        if value and Path(value).is_absolute() and not reading.exists(Path(value)):
            problems.append(f"{key}: no model folder at {value}")
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
