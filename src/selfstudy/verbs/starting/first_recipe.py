"""The file that follows from the answers: a commented recipe that loads, and the commands that come next.

Knows answers, keys and paths; not how anybody was asked.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from selfstudy.errors import RecipeError
from selfstudy.files import plain_yaml, private, reading
from selfstudy.recipe import Recipe, paths
from selfstudy.recipe.commented import commented_yaml
from selfstudy.recipe.conflicts import conflicts
from selfstudy.recipe.file import make_recipe
from selfstudy.recipe.further import further_keys
from selfstudy.recipe.goals import GOALS, Reasons, goal_recipe
from selfstudy.recipe.library import ATLAS, is_url
from selfstudy.recipe.schema import TITLE, recipe_schema
from selfstudy.text import clean
from selfstudy.verbs.doctor.numbers import MachineNumbers
from selfstudy.verbs.starting.fitting import fit
from selfstudy.verbs.starting.questions import InitAnswers, ModelChoice, SizeChoice
from selfstudy.version import __version__

SCHEMA = "recipe.schema.json"
"""The file beside a recipe that its first line names."""


@dataclass(frozen=True, slots=True)
class FirstRecipe:
    """What is written, and what is said of it.

    Attributes:
        text: of the file.
        warnings: what a person should know before going on.
        commands: what comes next, as lines for a shell.
    """

    text: str
    warnings: tuple[str, ...]
    commands: tuple[str, ...]


def first_recipe(
    settled: InitAnswers, file: Path, machine: MachineNumbers, *, schema: bool = True
) -> FirstRecipe:
    """A recipe from answers (`questions.settle`).

    Args:
        file: where it will lie: relative paths are written as seen from there.
        schema: whether its first line names the schema beside it, for editors.

    Raises:
        RecipeError: the answers make no recipe that loads.
    """
    folder = file.absolute().parent
    goal = settled["goal"]
    size: SizeChoice = settled.get("size", SizeChoice("usual"))
    questions = settled.get("questions")
    data, why = goal_recipe(
        _block(settled, folder),
        _library(settled["documents"], folder),
        goal,
        size.size,
        questions and (_placed(questions[0], folder), questions[1]),
    )
    warnings = _fitted(settled["model"], data, why, machine)
    if size.minutes is not None:
        data["budget"] = {"minutes": size.minutes}
        why["budget.minutes"] = "As you said: then it stops, and the same command goes on with more."
    recipe = make_recipe(deepcopy(data), [], "the recipe of these answers")
    body = commented_yaml(data, why, further_keys(recipe, data))
    text = _head(settled, machine, schema=schema) + body
    _require_loads(text, folder)
    return FirstRecipe(text, warnings, tuple(_commands(file, goal, settled["documents"])))


def _block(settled: InitAnswers, folder: Path) -> dict[str, Any]:
    """The block of the model, as far as it is an answer."""
    model: ModelChoice = settled["model"]
    if model.look is None:
        return {"type": "remote", "model": settled["model-name"], "base_url": model.text}
    is_path = not model.is_atlas and reading.exists(reading.expanded(model.text))
    return {"path": _placed(model.text, folder) if is_path else model.text}


def _library(documents: tuple[str, ...], folder: Path) -> Any:
    placed = [_placed(one, folder) for one in documents]
    return placed[0] if len(placed) == 1 else placed or None


def _placed(text: str, folder: Path) -> str:
    """A path of the working directory as a recipe in `folder` has to name it; aliases and URLs stay."""
    if text == ATLAS or is_url(text) or text.startswith("~") or Path(text).is_absolute():
        return text
    path = Path.cwd() / text
    found = os.path.relpath(path, folder)
    if os.path.realpath(folder / found) != os.path.realpath(path):  # a step up from behind a link
        return str(path)
    return found if found.startswith("..") else f"./{found}"


def _fitted(
    model: ModelChoice, data: dict[str, Any], why: Reasons, machine: MachineNumbers
) -> tuple[str, ...]:
    """Adds what makes the model fit the machine."""
    if model.look is None:
        why["model.type"] = "Behind a URL: it can be measured, not taught."
        why["model.base_url"] = (
            "If it wants a key: api_key_env takes the name of the variable that holds it, never the key."
        )
        return ()
    found = fit(model.look, machine, four_bits=find_spec("bitsandbytes") is not None)
    data["model"] = {**data["model"], **found.model}
    if found.answering:
        data["answering"] = {**data.get("answering", {}), **found.answering}
    why.update(found.why)
    return found.warnings


def _head(settled: InitAnswers, machine: MachineNumbers, *, schema: bool) -> str:
    first = f"# yaml-language-server: $schema={SCHEMA}\n" if schema else ""
    goal = GOALS[settled["goal"]].said
    return (
        f"{first}# A recipe of selfstudy {__version__}, written by `selfstudy init`. Goal: {goal}.\n"
        f"# The machine that it was written on: {clean(machine.words)}.\n"
        "#\n"
        "# A line with # directly before a key is one that is not set, with its default: to change it\n"
        "# remove that #, and the one of the block that it is in. docs/reference/recipe.md has all keys.\n\n"
    )


def _require_loads(text: str, folder: Path) -> Recipe:
    """What `load_recipe` asks of a file, before there is one."""
    try:
        data = plain_yaml.load(text)
    except plain_yaml.NotPlainError as error:
        raise RecipeError(f"a name cannot stand in a recipe: {error}", "rename it") from None
    recipe = make_recipe(paths.absolute(data, folder), [], "the recipe of these answers")
    if problems := conflicts(recipe):
        raise RecipeError(f"these answers do not fit together: {'; '.join(problems)}", "give others")
    return recipe


def _commands(file: Path, goal: str, documents: tuple[str, ...]) -> list[str]:
    name = str(file)
    name = f"./{name}" if name.startswith("-") else name
    lines = [["doctor", name], ["estimate", name]]
    if GOALS[goal].teaches:
        lines.append(["learn", name])
    else:
        run = str(Path("runs") / file.stem)
        lines += [["probe", name], *([["gather", run]] if documents else []), ["report", run]]
    return [shlex.join(["selfstudy", *line]) for line in lines]


def require_free(file: Path, *, force: bool) -> None:
    """Refuses what could not be written, before anybody is asked anything.

    Raises:
        RecipeError: it is there already, it is no regular file, or its own folder is not there.
    """
    if not file.absolute().parent.is_dir():
        raise RecipeError(f"there is no folder {file.parent}", "make it, or give another name")
    if file.is_dir():
        raise RecipeError(f"{file} is a folder", "give the name of a file")
    if os.path.lexists(file):
        if not force:
            raise _taken(file)
        if not stat.S_ISREG(file.lstat().st_mode):  # /dev/null would be a file from then on
            raise RecipeError(
                f"{file} is a link or a device, and only a file is replaced", "give the name of a file"
            )


def _taken(file: Path) -> RecipeError:
    return RecipeError(f"{file} is there already", "give another name, or --force to replace it")


def write_new(file: Path, text: str, *, force: bool) -> None:
    """Writes a file that a person has named.

    Args:
        force: what is there is replaced; else nothing ever is.

    Raises:
        RecipeError: as `require_free`, or it cannot be written.
    """
    require_free(file, force=force)
    try:
        if force:
            with private.replacing(file, private.SHARED) as made:
                made.write(text.encode())
            return
        descriptor = private.open_file(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, private.SHARED)
        with os.fdopen(descriptor, "wb") as made:
            made.write(text.encode())
    except FileExistsError:  # since a moment ago
        raise _taken(file) from None
    except OSError as error:
        raise RecipeError(
            f"cannot write {file}: {error.strerror or error}", "see to it, or give another name"
        ) from None


def schema_text() -> str:
    """What editors read (`recipe_schema`), as a file."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"


def is_schema(file: Path) -> bool:
    """Whether a file is such a schema, of whatever version."""
    try:
        found = from_json(private.read(file))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("title") == TITLE
