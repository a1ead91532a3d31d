"""The verbs of the loop: demo, learn, and one verb per stage."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.model_verbs import MEASURE_SECONDS, MeasureOption, show_estimate
from selfstudy.cli.session import (
    AllowOption,
    ModelOption,
    NoCacheOption,
    RecipeFile,
    RunFolder,
    RunOption,
    SeedOption,
    SetOption,
    app,
    load,
    overrides,
    say_next,
    session,
)
from selfstudy.errors import RecipeError, RunError
from selfstudy.screen import console, say

if TYPE_CHECKING:
    from selfstudy.loop import Study, WatchOptions

LONGEST_WAIT = 10_000_000
"""Seconds."""
FORECAST_SECONDS = 5.0
"""How long the model is asked before a run begins, to tell how long it will take."""


@app.command(short_help="See the whole loop work, on the embedded world.")
def demo(
    run: RunOption = None,
    seed: SeedOption = None,
    model: ModelOption = None,
    set_: SetOption = None,
    no_cache: NoCacheOption = False,
    measure: MeasureOption = True,
    allow: AllowOption = None,
) -> None:
    """See the whole loop at work on the embedded world: no GPU, no key, no network, a few minutes.

    \b
    Examples:
      selfstudy demo
      selfstudy demo --seed 1 --run runs/demo-1
      selfstudy demo --set probe.samples=5 --run runs/five-samples
    """
    with session(allow):
        changes = overrides(model, seed, set_, no_cache)
        _learn(_demo_recipe(), run or Path("runs/demo"), changes, measure=measure)


@app.command(short_help="Run the loop of a recipe, or resume it.")
def learn(
    recipe: Annotated[
        Path | None,
        typer.Argument(
            metavar="RECIPE",
            help="A recipe in YAML; with --run of a run that is there: its own.",
            show_default=False,
        ),
    ] = None,
    library: Annotated[
        str | None,
        typer.Argument(
            metavar="LIBRARY", help="The library; the same as --set library=LIBRARY.", show_default=False
        ),
    ] = None,
    run: RunOption = None,
    seed: SeedOption = None,
    model: ModelOption = None,
    set_: SetOption = None,
    no_cache: NoCacheOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be asked: calls, tokens, time, cost.")
    ] = False,
    measure: MeasureOption = True,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on for ever: learn again when the library has changed.")
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Between two looks at the library [default: 10; what is fetched: 3600].",
            show_default=False,
        ),
    ] = None,
    settle: Annotated[
        float, typer.Option(metavar="SECONDS", help="A file that was written to since then is not read.")
    ] = 2.0,
    again: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Ask again what is due (relearn) after so long, though nothing has changed.",
            show_default=False,
        ),
    ] = None,
    allow_removals: Annotated[
        bool, typer.Option("--allow-removals", help="More than half of the library may be gone.")
    ] = False,
    allow: AllowOption = None,
) -> None:
    """Run the loop of a recipe: probe, gather, teach, verify, report. The same command resumes it.

    \b
    Examples:
      selfstudy learn my.yaml
      selfstudy learn my.yaml --watch ./my-docs
      selfstudy learn --run runs/today --watch --every 60
      selfstudy learn my.yaml --run runs/today --seed 1
      selfstudy learn my.yaml --model Qwen/Qwen3-0.6B --set probe.threshold=0.6
      selfstudy learn my.yaml --dry-run --no-measure

    \b
    The smallest recipe:
      model: {path: Qwen/Qwen3-0.6B}
      nli: {path: potsawee/deberta-v3-large-mnli}
      library: ./my-docs
    """
    with session(allow):
        set_ = [*(set_ or []), *([f"library={json.dumps(library)}"] if library is not None else [])]
        if recipe is None:
            recipe = _own_recipe(run, overrides(model, seed, set_, no_cache))
            model = seed = set_ = None
        if dry_run:
            chosen = load(recipe, overrides(model, seed, set_, no_cache))
            show_estimate(chosen, MEASURE_SECONDS if measure else 0.0)
            return
        changes = overrides(model, seed, set_, no_cache)
        options = None
        if watch:
            options = _watch_options(every, settle, again, allow_removals=allow_removals)
        elif every is not None or again is not None or allow_removals:
            raise RecipeError("--every, --again and --allow-removals are of --watch", "add --watch")
        _learn(recipe, run or default_run(recipe), changes, measure=measure, watch=options)


def _own_recipe(run: Path | None, changes: list[str]) -> Path:
    """The recipe of a run that is there, as it was begun.

    Raises:
        RunError: there is none, or it was to be changed.
    """
    from selfstudy.run import Run

    if run is None:
        raise RunError("learn: no recipe was given", "selfstudy learn RECIPE, or --run DIR of a run")
    with Run.open(run, write=False) as opened:
        if changes:
            raise RunError(
                f"learn: the recipe of {run} cannot be changed ({changes[0]})",
                "leave that out, or give a recipe and another folder with --run DIR",
            )
        return opened.recipe_file


def _watch_options(
    every: float | None, settle: float, again: float | None, *, allow_removals: bool
) -> WatchOptions:
    """Raises RecipeError: a time is none."""
    for name, value in (("every", every), ("settle", settle), ("again", again)):
        if value is not None and not 0 < value <= LONGEST_WAIT:
            raise RecipeError(
                f"--{name} {value:g}: seconds, above 0 and at most {LONGEST_WAIT:,}", "change it"
            )
    from selfstudy.loop import WatchOptions

    usual = WatchOptions()
    return WatchOptions(
        every=every or usual.every,
        every_page=every or usual.every_page,
        settle=settle,
        again=again,
        allow_removals=allow_removals,
    )


@app.command(short_help="Find what the model does not know.")
def probe(
    recipe: RecipeFile,
    run: RunOption = None,
    seed: SeedOption = None,
    model: ModelOption = None,
    set_: SetOption = None,
    no_cache: NoCacheOption = False,
    measure: MeasureOption = True,
    allow: AllowOption = None,
) -> None:
    """Begin a run: ask the model questions and find what it does not know.

    \b
    Examples:
      selfstudy probe my.yaml --run runs/today
      selfstudy probe my.yaml --set probe.samples=20
    """
    with session(allow):
        from selfstudy.run import Run

        require_alone("probe")
        path = run or default_run(recipe)
        with Run.create_or_resume(path, load(recipe, overrides(model, seed, set_, no_cache))) as opened:
            from selfstudy import loop
            from selfstudy.progress import Terminal

            with loop.Study(opened, Terminal()) as study:
                if measure:
                    _forecast(study, training=False)  # whoever only probes trains nothing
                study.probe()
                _held_against(study, "probe")
        say_next("gather", path)


@app.command(short_help="Find evidence for the gaps.")
def gather(run: RunFolder, allow: AllowOption = None) -> None:
    """Find evidence for the gaps of a run, and read reference answers out of it.

    \b
    Example:
      selfstudy gather runs/today
    """
    _stage("gather", run, allow, following="teach")


@app.command(short_help="Train the model on it.")
def teach(run: RunFolder, allow: AllowOption = None) -> None:
    """Train an adapter, or all weights, on what a run has gathered.

    With teach.launch in the recipe the processes are started for you.

    \b
    Examples:
      selfstudy teach runs/today
      accelerate launch --config_file $(selfstudy launch-config ddp) -m selfstudy teach runs/today
      torchrun --nproc_per_node 2 -m selfstudy teach runs/today      (processes on the CPU)
    """
    with session(allow):
        from selfstudy.teach.launch import launch

        if launch().rank:
            _teach_along(run)
            return
    _stage("teach", run, allow, following="verify")


@app.command(name="launch-config", short_help="Print the path of a configuration for accelerate.")
def launch_config(
    name: Annotated[str, typer.Argument(metavar="NAME", help="ddp, fsdp, zero2 or zero3.")],
) -> None:
    """Print the path of a configuration for accelerate, to teach with several processes.

    \b
    Examples:
      selfstudy launch-config fsdp
      accelerate launch --config_file $(selfstudy launch-config ddp) --num_processes 4 -m selfstudy teach RUN
      cp $(selfstudy launch-config fsdp) mine.yaml
    """
    with session():
        from selfstudy.teach.launch import config

        say(str(config(name)))


@app.command(short_help="Ask again; promote or reject what was taught.")
def verify(run: RunFolder, allow: AllowOption = None) -> None:
    """Ask again, before and after teaching, and promote or reject what was taught.

    \b
    Example:
      selfstudy verify runs/today
    """
    _stage("verify", run, allow, following="report")


@app.command(short_help="Write and print the report of a run.")
def report(run: RunFolder) -> None:
    """Write report.html and summary.json of a run, finished or not, and print the summary.

    \b
    Example:
      selfstudy report runs/today
    """
    with session():
        from selfstudy.run import Run

        with Run.open(run) as opened:
            from selfstudy import loop

            with loop.Study(opened) as study:
                study.report()
        print_summary_of(run)


def _teach_along(path: Path) -> None:
    from selfstudy import loop
    from selfstudy.run import Run

    with Run.open(path, write=False) as run, loop.Study(run) as study:
        study.teach_along()


def require_alone(verb: str) -> None:
    """Refuses what each of several processes would do once more."""
    from selfstudy.teach.launch import launch

    if (count := launch().count) > 1:
        raise RunError(
            f"{count} processes were started, and {verb} runs in one",
            "start it without accelerate or torchrun; `selfstudy teach RUN` trains in several",
        )


def _stage(verb: str, path: Path, allow: list[str] | None, *, following: str) -> None:
    with session(allow):
        if verb != "teach":
            require_alone(verb)
        from selfstudy.run import Run

        with Run.open(path) as run:
            from selfstudy import loop
            from selfstudy.progress import Terminal

            with loop.Study(run, Terminal()) as study:
                getattr(study, verb)()
                _held_against(study, verb)
        say_next(following, path)


def _learn(
    recipe: Path, path: Path, overrides: list[str], *, measure: bool, watch: WatchOptions | None = None
) -> None:
    require_alone("the whole loop")
    loaded = load(recipe, overrides)
    from selfstudy import loop
    from selfstudy.progress import Terminal
    from selfstudy.run import Run

    with Run.create_or_resume(path, loaded) as run, loop.Study(run, Terminal()) as study:
        if measure:
            _forecast(study)
        if watch is not None:
            loop.watch(study, watch)
        else:
            study.learn()
    print_summary_of(path)


def _forecast(study: Study, *, training: bool = True) -> None:
    """Says how long a new run will take, of models that can be worked with, before it begins."""
    from selfstudy.run.budget import Metered
    from selfstudy.run.models import block_of
    from selfstudy.verbs.forecast import forecast, is_due

    if not is_due(study.run):
        return
    documents = study.documents
    began = time.perf_counter()
    found = study.language_models.get(block_of(study.recipe, "probe"))
    loading = time.perf_counter() - began
    study.smoke_check(study.run.round(1), "probe")
    lm = found.uncounted if isinstance(found, Metered) else found
    forecast(study.run, lm, loading, documents, FORECAST_SECONDS, study.reporter.note, training=training)


def _held_against(study: Study, stage: str) -> None:
    from selfstudy.verbs.forecast import held_against

    if said := held_against(study.run, (stage,)):
        study.reporter.note(f"{stage}: {said}")


def _demo_recipe() -> Path:
    from importlib import resources

    return Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))


def default_run(recipe: Path) -> Path:
    return Path("runs") / recipe.stem


def print_summary_of(run: Path) -> None:
    from selfstudy.files import private
    from selfstudy.run import Run
    from selfstudy.show.terminal import print_summary
    from selfstudy.summary import Summary

    file = run / Run.summary_file
    try:
        summary = Summary.model_validate_json(private.read(file))
    except (OSError, ValueError) as error:  # pydantic's error is a ValueError
        raise RunError(f"cannot read {file}: {error}", f"selfstudy report {run}") from None
    print_summary(summary, console())
    say(f"report: {run / Run.report_file}")
