"""Suites as a person names them: to blocks of a recipe.

    truthfulqa      a suite, as its block has it, or as the run's own recipe does
    lm-eval:TASK    a task of lm-eval; several make one suite

Knows names and options; nothing of models.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from selfstudy.errors import RecipeError
from selfstudy.files import reading
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import make_recipe
from selfstudy.recipe.suites import SuiteBase
from selfstudy.verify.suites.table import SUITES, name_of_block

LM_EVAL = "lm-eval"


def named(
    names: Sequence[str],
    recipe: Recipe,
    *,
    data: Sequence[str] = (),
    questions: int | None = None,
    include_path: str | None = None,
    allow_code: bool = False,
) -> tuple[SuiteBase, ...]:
    """The blocks of the suites that are named, without margins; of a name alone that of the recipe, if any.

    Args:
        data: FILE, where one suite is named, or NAME=FILE.

    Raises:
        RecipeError: a name, or an option, is wrong.
    """
    if not names:
        raise RecipeError("no suite was named", f"give one or more of: {', '.join(known())}")
    files = _files(data, names)
    own = {name_of_block(block): block for block in recipe.verify.suites}
    wanted: dict[str, dict[str, Any]] = {}
    for name in names:
        suite, _, task = name.partition(":")
        if suite not in SUITES or (task and suite != LM_EVAL):
            raise _unknown(name)
        block = own[suite].model_dump(mode="json", exclude={"margin"}) if suite in own else {}
        if suite == LM_EVAL and task:
            block = wanted.get(suite, {**block, "tasks": []})
            block["tasks"] = [*block["tasks"], task]
        wanted[suite] = {"name": suite, **block}
    for suite, block in wanted.items():
        if suite in files:
            block["data"] = _whole(files[suite])
        if questions is not None:
            block["questions"] = questions
        if suite == LM_EVAL:
            block |= {"include_path": include_path} if include_path is not None else {}
            block |= {"allow_code": True} if allow_code else {}
            if not block.get("tasks"):
                raise RecipeError("lm-eval: no task was named", "give lm-eval:TASK")
    if LM_EVAL not in wanted and (include_path is not None or allow_code):
        raise RecipeError("--include-path and --allow-code are for lm-eval", "name lm-eval:TASK")
    made = make_recipe({"verify": {"suites": list(wanted.values())}}, [], "the suites")
    return made.verify.suites


def known() -> list[str]:
    """What may be named."""
    return [f"{name}:TASK" if name == LM_EVAL else name for name in SUITES]


def _files(data: Sequence[str], names: Sequence[str]) -> Mapping[str, str]:
    """The file of each suite that is given one."""
    found: dict[str, str] = {}
    suites = list(dict.fromkeys(name.partition(":")[0] for name in names))
    for one in data:
        name, equals, file = one.partition("=")
        if not equals or name not in SUITES:
            name, file = (suites[0], one) if len(suites) == 1 else ("", one)
        if name not in suites:
            raise RecipeError(
                f"--data {one}: of which suite is that?",
                f"give --data NAME=FILE, NAME one of {', '.join(suites)}",
            )
        if name == LM_EVAL:
            raise RecipeError(f"--data {one}: tasks of lm-eval name their own data", "leave it out")
        if name in found:
            raise RecipeError(f"--data {one}: {name} has a file already", "give one file for each suite")
        found[name] = file
    return found


def _whole(file: str) -> str:
    """A file that is there by its whole path, which is the same from elsewhere; or the id of a data set."""
    path = reading.expanded(file)
    return str(path.absolute()) if reading.exists(path) else file


def _unknown(name: str) -> RecipeError:
    near = difflib.get_close_matches(name.partition(":")[0], list(SUITES), 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return RecipeError(f"no suite named {name!r}", f"{meant}take one of {', '.join(known())}")
