"""The verbs submit, merge, status and job: a run on more than one machine, by way of a queue."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.session import (
    AllowOption,
    RecipeFile,
    RunFolder,
    RunOption,
    SeedOption,
    SetOption,
    app,
    load,
    overrides,
    session,
)
from selfstudy.errors import RunError
from selfstudy.screen import say

if TYPE_CHECKING:
    from selfstudy.recipe import Recipe
    from selfstudy.verbs.submitting.submit import Planned


@app.command(short_help="Run a recipe as jobs of a cluster's queue.")
def submit(
    recipe: RecipeFile,
    slurm: Annotated[bool, typer.Option("--slurm", help="The queue is Slurm's.")] = False,
    run: RunOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the batch files, and only say what would be submitted.")
    ] = False,
    seed: SeedOption = None,
    set_: SetOption = None,
) -> None:
    """Submit all that a run needs as jobs, each behind the one before it; again: only what is left of it.

    The recipe's block `cluster` says what to ask the queue for, and how many jobs share the questions out.

    \b
    Examples:
      selfstudy submit my.yaml --slurm --dry-run
      selfstudy submit my.yaml --slurm --run /shared/runs/today
      selfstudy submit my.yaml --slurm --set cluster.shards=32 --set cluster.time=4:00:00
    """
    with session():
        from selfstudy.cli.loop_verbs import default_run, require_alone

        require_alone("submit")  # jobs get this environment
        if not slurm:
            raise RunError("submit: to which queue?", "add --slurm")
        loaded = load(recipe, overrides(None, seed, set_))
        _submit(loaded, run or default_run(recipe), recipe, dry_run=dry_run)


def _submit(recipe: Recipe, path: Path, file: Path, *, dry_run: bool) -> None:
    from selfstudy.loop.launching import require_anywhere
    from selfstudy.loop.study import require_teachable
    from selfstudy.models.remote.permissions import check
    from selfstudy.recipe import RemoteModel
    from selfstudy.verbs.submitting import submit as submitting
    from selfstudy.verbs.submitting.batch_file import check_path

    cluster = submitting.cluster_of(recipe)
    check_path(path.absolute())
    require_teachable(recipe)
    require_anywhere(recipe)
    for block in recipe.language_models.values():
        if isinstance(block, RemoteModel):
            check(block)  # in a job nobody is there to ask
    path = path.absolute()
    if not dry_run:
        from selfstudy.verbs.submitting import queue

        queue.require("sbatch", "squeue")
    _begin(path, recipe)
    with submitting.alone(path):
        _settle(path, recipe)
        planned = submitting.prepare(path, cluster)
        if not planned:
            say(f"nothing is left to do: selfstudy status {shlex.quote(str(path))}")
            return
        _say_needs(recipe)
        for line in cluster.setup:
            say(f"each job first runs, as you: {line}", err=True)
        if dry_run:
            for at, one in enumerate(planned):
                after = "" if not at else f" --dependency=afterok:<{planned[at - 1].job.name}>"
                say(f"sbatch --parsable{after} {one.file}{_shown(one)}")
            say("nothing was submitted (--dry-run)")
            return
        count = submitting.submit(path, planned, _said)
        say(f"{count} submitted; `selfstudy status {shlex.quote(str(path))}` says how far they are")


def _begin(path: Path, recipe: Recipe) -> None:
    """The run directory."""
    from selfstudy.run import Run
    from selfstudy.run.directory import is_run

    if is_run(path):
        Run.open(path, write=False).close()  # it is one of ours
    else:
        Run.create_or_resume(path, recipe).close()


def _settle(path: Path, recipe: Recipe) -> None:
    """The recipe that the jobs will read; the run is held only if that changes, for jobs may hold it."""
    from selfstudy.run import Run
    from selfstudy.verbs.submitting import submit as submitting

    with Run.open(path, write=False) as run:
        if run.recipe == recipe:
            return
    with Run.open(path) as run:
        if submitting.is_begun(path):
            run.adopt(recipe)
            return
        run.recipe_file.unlink()  # only looked at, with --dry-run
    Run.create_or_resume(path, recipe).close()


def _shown(one: Planned) -> str:
    return f"  ({len(one.job.shards)} shards)" if one.job.shards else ""


def _said(one: Planned, number: int, there: bool) -> None:
    say(f"{number:>10}  {one.job.name}{_shown(one)}{'  (in the queue already)' if there else ''}")


def _say_needs(recipe: Recipe) -> None:
    import os

    from selfstudy.verbs.submitting.submit import needed_variables

    for name in needed_variables(recipe):
        state = "set here" if os.environ.get(name) else "NOT set here"
        say(f"the jobs need ${name} ({state}); it goes with the job (--export), into no file", err=True)


@app.command(short_help="Join the shards of a run.")
def merge(
    run: RunFolder,
    round_: Annotated[
        int | None, typer.Option("--round", metavar="N", help="Which round [default: the last one].")
    ] = None,
) -> None:
    """Join what the shards of a run have answered and found, by question; harmless when repeated.

    Shards that are missing or have not finished are named, and nothing is joined.

    \b
    Example:
      selfstudy merge runs/today
    """
    with session():
        from selfstudy.loop.jobs import do_part
        from selfstudy.progress import Terminal
        from selfstudy.run import Run

        if round_ is None:
            with Run.open(run, write=False) as opened:
                round_ = opened.rounds[-1].number if opened.rounds else 1
        do_part(run, "merge", round_, reporter=Terminal())


@app.command(short_help="Do one part of a round, as a job of a queue does.")
def job(
    run: RunFolder,
    part: Annotated[
        str,
        typer.Argument(
            metavar="PART", help="ask, shard, merge, probe, gather, teach or verify.", show_default=False
        ),
    ],
    round_: Annotated[int, typer.Option("--round", metavar="N", help="Which round.")] = 1,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="N/M", help="Which shard, of how many.")
    ] = None,
    allow: AllowOption = None,
) -> None:
    """Do one part of a round: what the jobs of `selfstudy submit` do, also by hand and on any machine.

    \b
    Examples:
      selfstudy job runs/today ask
      selfstudy job runs/today shard --shard 3/8
      selfstudy merge runs/today
    """
    with session(allow):
        from selfstudy.cli.loop_verbs import require_alone
        from selfstudy.loop.jobs import PARTS, do_part
        from selfstudy.progress import Terminal
        from selfstudy.run import Run
        from selfstudy.run.shards import QuestionShard
        from selfstudy.verbs.submitting.notes import note_file, noted

        known = next((one for one in PARTS if one == part), None)
        if known is None:
            raise RunError(f"job: there is no part {part[:40]!r}", f"one of {', '.join(PARTS)}")
        which = None if shard is None else QuestionShard.parse(shard)
        folder = run / Run.slurm_folder
        require_alone("job")
        with noted(note_file(folder, known, round_, None if which is None else which.number)):
            do_part(run, known, round_, which, Terminal())


@app.command(short_help="How far a run is.")
def status(
    run: RunFolder,
    json_: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """How far a run is: rounds, stages, shards, jobs, costs and time.  Reads only, also while others write.

    \b
    Examples:
      selfstudy status runs/today
      selfstudy status runs/today --json
    """
    with session():
        from selfstudy.cli.status_screen import print_status
        from selfstudy.verbs.status.status import status_of

        found = status_of(run)
        if json_:
            plain = json.loads(json.dumps(asdict(found)), parse_constant=lambda name: None)  # NaN is no JSON
            say(json.dumps(plain, indent=2))
        else:
            print_status(found)
