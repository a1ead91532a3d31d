"""The command line: one verb per stage, plus learn, demo and doctor.

Reads arguments, opens the run directory, calls `selfstudy.loop`, prints.  It knows nothing of how a stage
works, and imports nothing heavy until a verb runs: `--help` has to be instant.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy import __version__
from selfstudy.errors import RunError, SelfstudyError

if TYPE_CHECKING:
    from selfstudy.recipe import Recipe

QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "TQDM_DISABLE": "1",
}
"""What keeps the libraries below from talking over our own progress; a value set by the user wins."""

# plain help: rich markup would triple the time that --help takes
app = typer.Typer(
    name="selfstudy",
    help="Find what a language model does not know, find the evidence, teach it, and prove that it learned.",
    epilog="Start with: selfstudy demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe in YAML.", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)]
RunOption = Annotated[
    Path | None,
    typer.Option("--run", metavar="DIR", help="The run directory [default: runs/NAME OF RECIPE]."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key of the recipe; may be given several times."
    ),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="The same as --set seed=N.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="A model folder or Hub id; the same as --set model.path=MODEL.")
]


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"selfstudy {__version__}")
        raise typer.Exit()


@app.command(short_help="See the whole loop work, on the embedded world.")
def demo(
    run: RunOption = None, seed: SeedOption = None, model: ModelOption = None, set_: SetOption = None
) -> None:
    """See the whole loop at work on the embedded world: no GPU, no key, no network, a few minutes.

    \b
    Examples:
      selfstudy demo
      selfstudy demo --seed 1 --run runs/demo-1
      selfstudy demo --set probe.samples=5 --run runs/five-samples
    """
    with _session():
        _learn(_demo_recipe(), run or Path("runs/demo"), _overrides(model, seed, set_))


@app.command(short_help="Run the loop of a recipe, or resume it.")
def learn(
    recipe: RecipeFile,
    run: RunOption = None,
    seed: SeedOption = None,
    model: ModelOption = None,
    set_: SetOption = None,
) -> None:
    """Run the loop of a recipe: probe, gather, teach, verify, report. The same command resumes it.

    \b
    Examples:
      selfstudy learn my.yaml
      selfstudy learn my.yaml --run runs/today --seed 1
      selfstudy learn my.yaml --model Qwen/Qwen3-0.6B --set probe.threshold=0.6

    \b
    The smallest recipe:
      model: {path: Qwen/Qwen3-0.6B}
      nli: {path: potsawee/deberta-v3-large-mnli}
      library: ./my-docs
    """
    with _session():
        _learn(recipe, run or _default_run(recipe), _overrides(model, seed, set_))


@app.command(short_help="Find what the model does not know.")
def probe(
    recipe: RecipeFile,
    run: RunOption = None,
    seed: SeedOption = None,
    model: ModelOption = None,
    set_: SetOption = None,
) -> None:
    """Begin a run: ask the model questions and find what it does not know.

    \b
    Examples:
      selfstudy probe my.yaml --run runs/today
      selfstudy probe my.yaml --set probe.samples=20
    """
    with _session():
        from selfstudy.run import Run

        path = run or _default_run(recipe)
        with Run.create_or_resume(path, _load(recipe, _overrides(model, seed, set_))) as opened:
            from selfstudy import loop
            from selfstudy.progress import Terminal

            loop.Study(opened, Terminal()).probe()
        _next("gather", path)


@app.command(short_help="Find evidence for the gaps.")
def gather(run: RunFolder) -> None:
    """Find evidence for the gaps of a run, and read reference answers out of it.

    \b
    Example:
      selfstudy gather runs/today
    """
    _stage("gather", run, following="teach")


@app.command(short_help="Train an adapter on it.")
def teach(run: RunFolder) -> None:
    """Train an adapter on what a run has gathered.

    \b
    Example:
      selfstudy teach runs/today
    """
    _stage("teach", run, following="verify")


@app.command(short_help="Ask again; promote or reject the adapter.")
def verify(run: RunFolder) -> None:
    """Ask again, before and after teaching, and promote or reject the adapter.

    \b
    Example:
      selfstudy verify runs/today
    """
    _stage("verify", run, following="report")


@app.command(short_help="Write and print the report of a run.")
def report(run: RunFolder) -> None:
    """Write report.html and summary.json of a run, finished or not, and print the summary.

    \b
    Example:
      selfstudy report runs/today
    """
    with _session():
        from selfstudy.run import Run

        with Run.open(run) as opened:
            from selfstudy import loop

            loop.Study(opened).report()
        _print_summary(run)


@app.command(short_help="Check the installation and the machine.")
def doctor() -> None:
    """Check Python, packages, memory, disk, accelerator and the embedded models; say what to mend and how.

    \b
    Example:
      selfstudy doctor
    """
    with _session():
        from selfstudy.doctor import examine

        failed = 0
        for finding in examine(Path.cwd()):
            typer.echo(str(finding))
            failed += finding.state == "fail"
        if failed:
            raise typer.Exit(1)


def main() -> None:
    """The entry point of the `selfstudy` command."""
    app(prog_name="selfstudy")


@contextmanager
def _session() -> Iterator[None]:
    """What every verb runs in: quiet libraries, and each way of ending said so that a person can act on it.

    Exit codes: 2 for what the user can mend, 130 for Ctrl-C, 1 for what is our fault.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    command = shlex.join(["selfstudy", *sys.argv[1:]])
    try:
        yield
    except typer.Exit:
        raise
    except SelfstudyError as error:
        typer.secho(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.secho(f"\nstopped; what is done is kept. To go on:\n  {command}", err=True)
        raise typer.Exit(130) from None
    except Exception:
        traceback.print_exc()
        typer.secho(
            "\nThis is a fault in selfstudy, not in what you gave it; what is done is kept.\n"
            "`selfstudy doctor` checks the installation. Please report the lines above. To go on:\n"
            f"  {command}",
            err=True,
        )
        raise typer.Exit(1) from None


def _stage(verb: str, path: Path, *, following: str) -> None:
    with _session():
        from selfstudy.run import Run

        with Run.open(path) as run:
            from selfstudy import loop
            from selfstudy.progress import Terminal

            getattr(loop.Study(run, Terminal()), verb)()
        _next(following, path)


def _learn(recipe: Path, path: Path, overrides: list[str]) -> None:
    loaded = _load(recipe, overrides)
    from selfstudy import loop
    from selfstudy.progress import Terminal

    loop.learn(loaded, path, Terminal())
    _print_summary(path)


def _load(recipe: Path, overrides: list[str]) -> Recipe:
    from selfstudy.recipe_file import load_recipe

    return load_recipe(recipe, overrides)


def _overrides(model: str | None, seed: int | None, rest: list[str] | None) -> list[str]:
    chosen = [f"model.path={json.dumps(model)}"] if model is not None else []
    if seed is not None:
        chosen.append(f"seed={seed}")
    return chosen + (rest or [])


def _demo_recipe() -> Path:
    from importlib import resources

    return Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))


def _default_run(recipe: Path) -> Path:
    return Path("runs") / recipe.stem


def _next(verb: str, run: Path) -> None:
    typer.echo(f"next: {shlex.join(['selfstudy', verb, str(run)])}")


def _print_summary(run: Path) -> None:
    from rich.console import Console

    from selfstudy.show.terminal import print_summary

    file = run / "summary.json"
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {file}: {error}", f"selfstudy report {run}") from None
    print_summary(summary, Console())
    typer.echo(f"report: {run / 'report.html'}")


if __name__ == "__main__":
    main()
