"""A new run out of a form: the recipe that it makes, what is asked before it starts, and the start.

The recipe lies beside the run, as it was chosen and no more (processes.py).  What is wrong with it is said by
`load_recipe` itself.  Knows no form.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfstudy.errors import DataError, RecipeError, RunError
from selfstudy.files import private
from selfstudy.recipe.commented import commented_yaml
from selfstudy.recipe.file import load_recipe, make_recipe, read_yaml
from selfstudy.recipe.goals import Reasons, goal_recipe
from selfstudy.recipe.library import ATLAS
from selfstudy.run import Run
from selfstudy.ui import handing_over, processes, uploads
from selfstudy.ui.desk import Desk

RECIPE, DOCUMENTS = Run.recipe_file, "documents"
SECONDS = 300.0
"""Longest time of the smoke check, and of the estimate."""
_TAKEN = (processes.FOLDER, handing_over.FOLDER)
"""Folders of this page, which are no runs."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Wish:
    """What a person chose.

    Attributes:
        name: of the run.
        model: a folder, a Hub id, or `atlas`.
        library: a folder, an address or `atlas`; "": what is given in `files`.
        files: what a browser gave.
        goal: one of `GOALS`, but for those that are more than a recipe.
        size: one of `SIZES`.
        changes: other keys of the recipe, dotted, with values as YAML writes them.
    """

    name: str
    model: str
    library: str = ""
    files: Sequence[Path] = ()
    goal: str = "facts"
    size: str = "usual"
    changes: Mapping[str, str] = field(default_factory=dict)


def check_name(desk: Desk, name: str) -> Path:
    """Where the new run will lie.

    Raises:
        RunError: the name is not allowed, or taken.
    """
    if not _NAME.fullmatch(name) or name.casefold() in _TAKEN:
        raise RunError(
            f"{name[:80]!r} cannot be the name of a run",
            "up to 64 letters, digits, points, hyphens and underscores; not "
            + " or ".join(map(repr, _TAKEN)),
        )
    path = desk.folder / name
    if path.exists() or path.is_symlink():
        raise RunError(f"{name!r} is taken in {desk.folder}", "choose another name")
    return path


def write(desk: Desk, wish: Wish) -> Path:
    """The recipe of a wish, checked and written; documents that were given lie beside it.

    Raises:
        SelfstudyError: the name is taken, a document cannot be taken, or the recipe is wrong.
    """
    check_name(desk, wish.name)
    data, why = chosen(wish)
    make_recipe(data, [], "the recipe")
    place = processes.place_of(desk.folder, wish.name)
    for path in (place.parent, place, place / DOCUMENTS):
        if path.is_symlink():
            raise RunError(f"{path} is a link, which is not followed", "move it away")
    uploads.check(wish.files)
    try:
        private.make_folder(place)
        if wish.files:  # what an earlier try left
            shutil.rmtree(place / DOCUMENTS, ignore_errors=True)
            uploads.keep(wish.files, place / DOCUMENTS)
            data["library"] = str(place / DOCUMENTS)
        with private.replacing(place / RECIPE) as file:
            file.write(commented_yaml(data, why).encode())
    except OSError as error:
        raise RunError(f"cannot write {place}: {error.strerror}", "check its permissions") from None
    load_recipe(place / RECIPE)
    return place / RECIPE


def chosen(wish: Wish) -> tuple[dict[str, Any], Reasons]:
    """The recipe as plain data, only what was chosen, and why; of the embedded model what its demo has.

    Raises:
        RecipeError: nothing says what to learn from, or a changed key cannot be.
    """
    model, library = wish.model.strip(), wish.library.strip()
    changes = {key: value for key, value in wish.changes.items() if value.strip()}
    if wish.files and library:
        raise RecipeError("documents were given, and a folder named", "leave one of them out")
    elsewhere = any(key.startswith("library") for key in changes)
    named = library or ("." if wish.files or elsewhere else ATLAS if model == ATLAS else None)
    if named is None:
        raise RecipeError("nothing says what to learn from", "give documents, or name a folder")
    data, why = goal_recipe({"path": model} if model else {}, named, wish.goal, wish.size)
    if not model:
        del data["model"]
    if elsewhere and not (wish.files or library):
        del data["library"]  # as the change says
    make_recipe(data, [f"{key}={value}" for key, value in changes.items()])
    return data, {key: said for key, said in why.items() if key not in changes}


@dataclass(frozen=True)
class Forecast:
    """What was said before a run starts.

    Attributes:
        findings: lines of the smoke check (`selfstudy doctor RECIPE --ask`); ready: whether none failed.
        stages: rows of the estimate, by stage; assumed: what was assumed, in words.
        problem: why there is no estimate.
    """

    findings: tuple[str, ...]
    ready: bool
    stages: tuple[Mapping[str, Any], ...] = ()
    assumed: tuple[str, ...] = ()
    problem: str = ""

    @property
    def seconds(self) -> float | None:
        """Of the whole run; None: not measured."""
        known = [row["seconds"] for row in self.stages if row.get("seconds") is not None]
        return sum(known) if known else None

    @property
    def calls(self) -> int:
        return sum(int(row.get("calls") or 0) for row in self.stages)

    @property
    def cost(self) -> str:
        """In words; "" where no model has a price."""
        priced = [row for row in self.stages if row.get("cost") is not None]
        money = sum(row["cost"] for row in priced)
        return f"{money:,.2f} {priced[0].get('currency', '')}".strip() if priced else ""


def smoke(recipe: Path) -> tuple[tuple[str, ...], bool]:
    """The lines of the smoke check, and whether the models can be worked with."""
    code, out, err = processes.answer(["doctor", str(recipe), "--ask"], SECONDS, variables_of(recipe))
    lines = [line for line in (out if code in (0, 1) else err or out).splitlines() if line.strip()]
    return tuple(lines[-60:]), code == 0


def estimate(recipe: Path, findings: tuple[str, ...], *, ready: bool, measure: bool) -> Forecast:
    """What the run will take.

    Args:
        measure: whether the model is asked for some seconds, without which no time is known.
    """
    words = ["estimate", str(recipe), "--json", *([] if measure else ["--no-measure"])]
    code, out, err = processes.answer(words, SECONDS, variables_of(recipe))
    try:
        found = json.loads(out) if code == 0 else {}
        stages, assumed = tuple(found["stages"]), tuple(str(one) for one in found["assumed"])
    except (ValueError, KeyError, TypeError):
        return Forecast(findings, ready, problem=(err or out).strip()[-2000:])
    return Forecast(findings, ready, stages, assumed)


def variables_of(recipe: Path) -> list[str]:
    """Of our environment, those in which the recipe says its keys are."""
    return processes.key_variables(read_yaml(recipe))


def start(desk: Desk, name: str) -> processes.Command:
    """Begins the run whose recipe was written.

    Raises:
        SelfstudyError: it is taken meanwhile, or the recipe is gone.
    """
    path = check_name(desk, name)
    place = processes.place_of(desk.folder, name)
    recipe = place / RECIPE
    if not recipe.is_file() or recipe.is_symlink():
        raise DataError(f"the recipe of {name} is gone", "check the form again")
    words = ["learn", str(recipe), "--run", str(path), "--no-measure"]
    return processes.start(place, words, variables_of(recipe))


def go_on(desk: Desk, name: str) -> processes.Command:
    """Resumes a run by its own recipe, whoever began it.

    Raises:
        SelfstudyError: it is at work, or no run.
    """
    path = desk.path_of(name)
    variables = processes.key_variables(desk.open(name).recipe.model_dump(mode="json"))
    words = ["learn", "--run", str(path), "--no-measure"]
    return processes.start(processes.place_of(desk.folder, name), words, variables)
