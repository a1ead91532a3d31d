"""The verb suite."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selfstudy.cli.session import AllowOption, SeedOption, SetOption, app, overrides, session
from selfstudy.errors import RecipeError
from selfstudy.screen import say

if TYPE_CHECKING:
    from selfstudy.progress import Reporter
    from selfstudy.recipe import ModelBlock, Recipe
    from selfstudy.recipe.suites import SuiteBase
    from selfstudy.verify.suites.asking import SuiteArm
    from selfstudy.verify.suites.figures import SuiteResult


@app.command(short_help="Suites of others' questions, before and after teaching.")
def suite(
    place: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN_OR_MODEL",
            help="A run, a recipe, a model folder, a Hub id, or atlas.",
            show_default=False,
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Suites [default: those of the recipe].", show_default=False),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Say which suites there are, and end.")] = False,
    adapter: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What was taught: before and after, side by side."),
    ] = None,
    arm: Annotated[
        Literal["taught", "weaker"] | None,
        typer.Option(help="Of a run: which adapter [default: what was promoted, or decided on last]."),
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Another model, which stands as the one before.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE | NAME=FILE", help="The questions of a suite; may be given several times."
        ),
    ] = None,
    questions: Annotated[
        int | None, typer.Option("--questions", "-n", min=1, help="Most items of each suite.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Who grades answers; the same as --set judge.path=MODEL."),
    ] = None,
    nli: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The entailment model; the same as --set nli.path=MODEL."),
    ] = None,
    library: Annotated[
        str | None, typer.Option(metavar="DIR", help="What facts are checked against: a folder, or atlas.")
    ] = None,
    include_path: Annotated[
        str | None, typer.Option(metavar="DIR", help="A folder with lm-eval tasks of your own.")
    ] = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Let task files of lm-eval run code of their own.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep every item there (.jsonl); the same command goes on with it."
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    seed: SeedOption = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Ask suites of others' questions, and compare before and after, item by item.

    Of a run: the model before and what was promoted, into the run, whose report then shows them; what the
    gate decided stays. Of a model: that one alone, or with --adapter or --against two side by side. A
    difference has its paired interval; what failed is in no figure and counted.

    \b
    Examples:
      selfstudy suite --list
      selfstudy suite runs/today truthfulqa
      selfstudy suite atlas truthfulqa perplexity --data perplexity=text.txt
      selfstudy suite Qwen/Qwen3-4B truthfulqa --data TruthfulQA.csv --judge Qwen/Qwen3-14B --out items.jsonl
      selfstudy suite Qwen/Qwen3-4B qa --data squad.json --adapter runs/today/rounds/1/adapter
      selfstudy suite runs/today lm-eval:my_task --include-path tasks
    """
    with session(allow):
        if listing:
            from selfstudy.cli.suite_table import print_list

            print_list()
            return
        if place is None:
            raise RecipeError("a run or a model is wanted", "give RUN_OR_MODEL, or --list")
        from selfstudy.files import reading
        from selfstudy.progress import Terminal
        from selfstudy.run.directory import is_run

        asked = NamedSuites(
            tuple(names or ()), tuple(data or ()), questions, include_path, allow_code=allow_code
        )
        changes = [f"library={json.dumps(library)}"] if library is not None else []
        changes = overrides(None, seed, [*changes, *(set_ or [])], judge=judge, nli=nli)
        report = Terminal()
        folder = reading.expanded(place)
        if is_run(folder):
            if against is not None:
                raise RecipeError(
                    "--against is for models", "name the model instead of the run, with --adapter"
                )
            results = _of_run(folder, asked, changes, arm, adapter, out, report)
        else:
            if arm is not None:
                raise RecipeError(f"--arm is for a run, and {place} is none", "give --adapter DIR")
            results = _of_model(place, asked, changes, adapter, against, out, report)
        _show(results, json_=json_)


@dataclass(frozen=True, slots=True)
class NamedSuites:
    """What a person named."""

    names: tuple[str, ...]
    data: tuple[str, ...]
    questions: int | None
    include_path: str | None
    allow_code: bool

    def blocks(self, recipe: Recipe) -> tuple[SuiteBase, ...]:
        """The suites; without a name those of the recipe."""
        from selfstudy.verbs.suite.naming import named
        from selfstudy.verify.suites.table import name_of_block

        return named(
            self.names or [name_of_block(one) for one in recipe.verify.suites],
            recipe,
            data=self.data,
            questions=self.questions,
            include_path=self.include_path,
            allow_code=self.allow_code,
        )


def _show(results: Mapping[str, SuiteResult], *, json_: bool) -> None:
    from selfstudy.cli.suite_table import print_results
    from selfstudy.verbs.suite.asking import require_measured

    if json_:
        say(json.dumps({name: one.model_dump(mode="json") for name, one in results.items()}, indent=2))
    else:
        print_results(results)
    require_measured(results)


def _of_run(
    folder: Path,
    asked: NamedSuites,
    changes: list[str],
    arm: Literal["taught", "weaker"] | None,
    adapter: Path | None,
    out: Path | None,
    report: Reporter,
) -> dict[str, SuiteResult]:
    """Into the run; with an adapter that is none of it, or into a file, beside it."""
    from selfstudy.loop import Study
    from selfstudy.loop.suite_run import ask_run, taught
    from selfstudy.recipe.file import make_recipe
    from selfstudy.run import Run, standing
    from selfstudy.run.models import as_taught, servers_for
    from selfstudy.verbs.suite.tools import RecipeTools

    apart = adapter is not None or out is not None
    with Run.open(folder, write=not apart) as run, ExitStack() as stack:
        own = run.recipe
        recipe = make_recipe(own.model_dump(mode="json"), changes) if changes else own
        blocks = asked.blocks(recipe)
        if apart:
            round_, _, trained = taught(run, arm)
            after = adapter if adapter is not None else trained
            before = as_taught(own.model, standing.standing(round_))
            models: dict[SuiteArm, ModelBlock] = {"base": before}
            if after is not None:
                models["taught"] = _with(own, after).model
            return _ask(models, blocks, recipe, out, report)
        servers = stack.enter_context(servers_for(recipe, report.note))
        source = RecipeTools(recipe, servers, report, stack) if changes else None
        with Study(run, report) as study:
            results = ask_run(study, blocks, recipe, source, arm)
            study.report()
            report.note(f"in the report: {run.report_file}")
            return results


def _of_model(
    place: str,
    asked: NamedSuites,
    changes: list[str],
    adapter: Path | None,
    against: str | None,
    out: Path | None,
    report: Reporter,
) -> dict[str, SuiteResult]:
    if adapter is not None and against is not None:
        raise RecipeError("--adapter and --against both give a second model", "give one of them")
    recipe = _recipe(place, changes)
    blocks = asked.blocks(recipe)
    models: dict[SuiteArm, ModelBlock] = {"base": recipe.model}
    if adapter is not None:
        models["taught"] = _with(recipe, adapter).model
    elif against is not None:
        models = {"base": _recipe(against, []).model, "taught": recipe.model}
    return _ask(models, blocks, recipe, out, report)


def _recipe(place: str, changes: list[str]) -> Recipe:
    """A recipe file, or one of a model."""
    from selfstudy.recipe.file import load_recipe, make_recipe

    if place.lower().endswith((".yaml", ".yml")):
        return load_recipe(Path(place), changes)
    return make_recipe({}, [f"model.path={json.dumps(place)}", *changes])


def _with(recipe: Recipe, adapter: Path) -> Recipe:
    from selfstudy.cli.cite_answer import taught

    return taught(recipe, adapter)


def _ask(
    models: Mapping[SuiteArm, ModelBlock],
    blocks: tuple[SuiteBase, ...],
    recipe: Recipe,
    out: Path | None,
    report: Reporter,
) -> dict[str, SuiteResult]:
    """Models asked one after the other, outside of any run."""
    from selfstudy.files import jsonl, lock, private
    from selfstudy.models import load_lm
    from selfstudy.models.counting import require_here
    from selfstudy.run.models import servers_for
    from selfstudy.verbs.suite.asking import ask_models
    from selfstudy.verbs.suite.items import SuiteItems
    from selfstudy.verbs.suite.tools import RecipeTools
    from selfstudy.verify.gains import Resampling
    from selfstudy.verify.suites.planning import planned, tools

    require_here([*models.values(), *([recipe.judge] if recipe.judge is not None else [])])
    how = Resampling(recipe.verify.confidence, recipe.verify.resamples, recipe.seed)
    with ExitStack() as stack:
        if out is not None and not out.is_dir():
            with jsonl.writing(out, None):
                private.make_folder(out.parent)
            stack.callback(os.close, lock.take(out.with_name(f"{out.stem}.lock"), out, "--out"))
        servers = stack.enter_context(servers_for(recipe, report.note))
        source = RecipeTools(recipe, servers, report, stack)
        plans = [planned(block, recipe, source.documents) for block in blocks]
        told = {
            "seed": recipe.seed,
            "prompts": None if recipe.prompts is None else str(recipe.prompts),
            **{f"model, {arm}": block.model_dump_json() for arm, block in models.items()},
            **{f"suite {one.suite.name}": one.settings for one in plans},
        }
        loaders = {
            arm: (lambda asked=one: load_lm(asked, cache=recipe.cache, servers=servers))
            for arm, one in models.items()
        }
        results = ask_models(
            loaders,
            plans,
            cache(lambda: tools(blocks, recipe, source)),
            SuiteItems(out, told),
            how,
            report,
        )
    if out is not None:
        report.note(f"every item: {out}")
    return results
