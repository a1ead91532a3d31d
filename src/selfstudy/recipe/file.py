"""Recipes from YAML plus `--set a.b=c`, checked before a model loads; and back to YAML, compared, identified.

All problems of a recipe are told at once, each with its key, the value found and what is allowed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import ValidationError

from selfstudy.errors import RecipeError
from selfstudy.files import plain_yaml, reading
from selfstudy.recipe import MODEL_KEYS, Recipe, paths
from selfstudy.recipe.base import SECRET, Block
from selfstudy.recipe.conflicts import conflicts
from selfstudy.recipe.library import LibraryBlock, sources_of, without_fetching
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
        data = paths.absolute(read_yaml(path), folder)
        drop_gone(data)
    recipe = make_recipe(data, overrides, str(path) if path is not None else "the recipe")
    problems = conflicts(recipe)
    if problems:
        raise _refusal(str(path) if path is not None else "the recipe", problems)
    return recipe


def make_recipe(data: dict[str, Any], overrides: Sequence[str], where: str = "the recipe") -> Recipe:
    """A checked Recipe from plain data, which overrides change in place; looks at no files."""
    for override in overrides:
        _override(data, override)
    recipe = parse_recipe(data, where)
    if empty := list(islice(_empty(data), _MOST_TOLD + 1)):
        raise _refusal(where, empty)
    return recipe


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


def drop_gone(data: dict[str, Any]) -> None:
    """Takes keys that are no more out of what a recipe file holds."""
    for place, keys in GONE.items():
        for block in _blocks_at(data, place):
            for key in keys:
                block.pop(key, None)


def _blocks_at(data: Mapping[str, Any], place: str) -> Iterator[dict[str, Any]]:
    """What stands at a dotted place; of a phase of teaching also each of its type in the list of phases."""
    *before, last = place.split(".")
    at: Any = data
    for part in before:
        at = at.get(part) if isinstance(at, Mapping) else None
    if not isinstance(at, Mapping):
        return
    phases, type_ = at.get("phases"), last.replace("_", "-")
    listed = phases if isinstance(phases, list) else []
    if isinstance(alone := at.get(last), dict):
        yield alone
    yield from (one for one in listed if isinstance(one, dict) and one.get("type") == type_)


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
    """What makes a run what it is: all but `ELSEWHERE`, how it is launched, fetching, and keys."""
    data = recipe.model_dump(mode="json", exclude=ELSEWHERE)
    del data["teach"]["launch"]
    for key in MODEL_KEYS:  # where its key comes from changes no answer
        *blocks, name = key.split(".")
        block = reduce(dict.__getitem__, blocks, data)[name] or {}
        for ours in ("api_key_env", "api_key_file"):
            block.pop(ours, None)
    data["library"] = without_fetching(data["library"])
    return data


ELSEWHERE = {"budget", "cache", "servers", "smoke", "scale", "cluster", "track"}
"""Keys that say where and how a run works: they change no result."""
GONE: dict[str, tuple[str, ...]] = {
    "teach.rejection": ("keep", "rest"),
}
"""Keys that changed nothing and are no more, by the block that had them: files of before may name them, and
those of runs, which hold every key, do."""
MOVED = {
    "probe.temperature": "answering.temperature, which all stages share",
    "probe.repetition_penalty": "answering.repetition_penalty, which all stages share",
    "probe.max_new_tokens": "answering.max_new_tokens, which all stages share",
    "probe.block_size": "answering.block_size, which all stages share",
    "gather.max_new_tokens": "answering.reading_tokens, which all stages share",
    "verify.merge": "deploy: `merge: true` is `deploy: merged`, `merge: false` is `deploy: adapter`",
}
"""Keys of earlier versions, and where they are now."""
_SEE = "`selfstudy learn --help` shows the smallest recipe"
_ABSENT = object()
_LONGEST_KEY = 100
_DEEPEST = 20
_MOST_TOLD, _LONGEST_TOLD = 20, 400
"""Problems that are told at once, and the characters of each."""


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


def _kinds(annotation: Any, value: Any) -> list[type[Block]]:
    """The block types that `value` may be meant for: a library's sources may stand for it."""
    kinds = _blocks(annotation)
    if kinds == [LibraryBlock] and (isinstance(value, list) or (isinstance(value, dict) and "type" in value)):
        return _blocks(LibraryBlock.model_fields[LibraryBlock.short].annotation)
    return kinds


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
            yield f"{prefix}{name}: is now {new}"
        elif field is None:
            yield f"{prefix}{brief(name)}: unknown key{_nearest(name, block, prefix)}"
        if field is None or not isinstance(name, str):
            continue
        kinds = _kinds(field.annotation, value)
        for index, part in enumerate(value if isinstance(value, list) else [value]):
            if kinds and isinstance(part, dict):
                kind = next((k for k in kinds if _is_meant(k, part)), kinds[0])
                at = f"{prefix}{name}.{index}." if isinstance(value, list) else f"{prefix}{name}."
                yield from _unknown_keys(part, kind, at)


_FREE = (".extra.", ".args.")
"""Blocks whose values are a server's own."""


def _empty(data: Mapping[Any, Any]) -> Iterator[str]:
    """Texts of nothing but white space: as a path they would be the working directory."""
    for key, value in leaves(data):
        if isinstance(value, str) and not value.strip() and not any(part in key for part in _FREE):
            yield f"{brief(key)} is empty: give a value, or leave the key out"


def _is_meant(block: type[Block], part: Mapping[Any, Any]) -> bool:
    """Whether a union knows this block by what is written, under `type`, or `name` of suites."""
    fields = block.model_fields
    tags = [k for k in ("type", "name") if k in fields and get_origin(fields[k].annotation) is Literal]
    return fields[tags[0]].default == part.get(tags[0]) if tags else part.get("type") is None


def _nearest(name: str, block: type[Block], prefix: str) -> str:
    """A suggestion: a key of the same block with nearly this name, else one of that name elsewhere."""
    name = name[:_LONGEST_KEY]
    beside = difflib.get_close_matches(name, block.model_fields, n=1, cutoff=0.6)
    if beside:
        return f"; did you mean {prefix}{beside[0]}?"
    known = list(_known_keys(Recipe))
    everywhere = {key.rpartition(".")[2]: key for key in reversed(known)}
    elsewhere = difflib.get_close_matches(name, everywhere, n=1, cutoff=0.8)
    if elsewhere and prefix + elsewhere[0] not in known:  # else it is one of a block of another type
        return f"; did you mean {everywhere[elsewhere[0]]}?"
    return f"; known here: {', '.join(block.model_fields)}"


def _readable(error: Any, data: Any) -> str:
    """One line for one pydantic error: the dotted key, the value found, what is allowed."""
    key: list[str] = []
    for place, part in enumerate(error["loc"]):
        inside = isinstance(data, (dict, list)) and (
            part in data if isinstance(data, dict) else isinstance(part, int) and part < len(data)
        )
        unwritten = isinstance(data, dict) and (data.get("type") == part or isinstance(part, int))
        if not inside and (unwritten or place < len(error["loc"]) - 1):
            continue  # the tag of a union, the only item: the recipe's author never wrote it
        key.append(str(part))
        data = data[part] if inside else None
    name = ".".join(key) or "the recipe"
    if error["type"] == "missing":
        return f"{name}: missing"
    if error["type"] in ("model_type", "model_attributes_type"):
        return f"{name} = {wrong(error['input'])}: must be a block of key: value lines"
    if error["type"] == "union_tag_invalid":
        tag = error["ctx"]["discriminator"].strip("'")
        return f"{name}.{tag} = {wrong(error['ctx']['tag'])}: must be one of {error['ctx']['expected_tags']}"
    if error["type"] == "union_tag_not_found":
        return f"{name}.{error['ctx']['discriminator'].strip(chr(39))}: missing"
    rule = without_keys(error["msg"].replace("Input should be", "must be"))
    hidden = error["type"] == SECRET or name.endswith(_MISTAKEN) or any(part in _PASTED for part in key)
    return f"{name} = {NOT_SHOWN if hidden else wrong(error['input'])}: {rule}"


_MISTAKEN = (".api_key_env", ".api_key_file", ".base_url", ".url")
_PASTED = ("prices", "extra", "args")
"""Keys into which people put by mistake what nobody should read."""


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
    name = ".".join(part for part in parts if not part.isdigit())
    resolved = paths.absolute(value, Path.cwd(), name)
    if parts[0] == "library" and parts[1:2] and parts[1] in LibraryBlock.model_fields and data.get("library"):
        data["library"] = sources_of(data["library"], written_out=len(parts) > 3)
    if parts[0] in ("deploy", "track") and len(parts) > 1 and isinstance(data.get(parts[0]), str):
        data[parts[0]] = {"type": data[parts[0]]}
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
            called = part == "model" and isinstance(here, dict) and paths.is_name(here)
            here[index] = value if called else resolved
        here = here[index]


def _item(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and _is_index(part, value):
        return value[int(part)]
    return None


def _is_index(part: str, items: Sequence[Any]) -> bool:
    return part.isdecimal() and len(part) < 10 and int(part) < len(items)
