"""Verbs for what somebody else made: import (results and data become a run) and score (foreign answers)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.session import (
    AllowOption,
    ModelOption,
    SeedOption,
    SetOption,
    app,
    overrides,
    say_next,
    session,
)
from selfstudy.errors import DataError
from selfstudy.screen import say, silence

if TYPE_CHECKING:
    from selfstudy.progress import Reporter


@app.command("import", short_help="Make a run from results or data of others.")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A .pickle, .jsonl, .json, .csv or .parquet file.", show_default=False
        ),
    ],
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="The run directory [default: runs/NAME OF FILE]."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="What it holds: experiment, preferences, dialogues or qa [default: its content tells].",
        ),
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Leave out what cannot be used, counted, instead of refusing the file."
        ),
    ] = False,
    seed: SeedOption = None,
    model: ModelOption = None,
    set_: SetOption = None,
) -> None:
    """Make a run from somebody else's results or data, which report, compare, calibrate and teach accept.

    \b
    experiment   a result file of "Into the Unknown" (pickle): questions, answers, scores, published metrics.
                 Nothing in the file is executed; it may hold numpy arrays and plain containers only.
    preferences  {prompt, chosen, rejected}, texts or messages, as in TRL; {system, question, chosen,
                 rejected}; conversations as in ShareGPT: taught with DPO.
    dialogues    {prompt, good answer, bad answer}: a transcript of student and teacher, and the teacher's
                 next turn; where there is no bad answer, the model writes one: taught with DPO (socratic).
    qa           {question, answer} or {question, answers, context}; {instruction, input, output};
                 {question, options, answer}; conversations: taught with SFT.

    \b
    Examples:
      selfstudy import res_mistral_ExtPrompt.pickle
      selfstudy import preferences.jsonl --model Qwen/Qwen3-0.6B --run runs/prefer
      selfstudy import dialogues.csv --model Qwen/Qwen3-0.6B --skip-bad
      selfstudy import squad.parquet --model Qwen/Qwen3-0.6B --set teach.sft.epochs=3 --skip-bad
    """
    with session():
        from selfstudy.progress import Terminal
        from selfstudy.verbs.importing.file import import_file

        path = run or Path("runs") / file.stem
        changes = overrides(model, seed, set_)
        found = import_file(file, path, kind, changes, skip_bad=skip_bad, report=Terminal())  # type: ignore[arg-type]
        say(
            f"{found['kind']}: {found['given']:,} given, {found['imported']:,} imported, "
            f"{found['duplicates']:,} repeats, {found['failed']:,} failed"
        )
        if found.get("several_answers"):
            several = f"{found['several_answers']:,}"
            say(f"questions with several answers: {several}, each taught with its page alone")
        if found.get("notes_left_out"):
            say(f"turns behind which a note of their writer was left out: {found['notes_left_out']:,}")
        if found.get("unused"):
            counts = ((name, f"{n:,} {'row' if n == 1 else 'rows'}") for name, n in found["unused"].items())
            say(f"columns not used: {', '.join(f'{name} ({rows})' for name, rows in counts)}")
        say_next("report" if found["kind"] == "experiment" else "teach", path)


@app.command(short_help="Score answers that somebody else generated.")
def score(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON lines; - reads stdin.", show_default=False)
    ],
    scorer: Annotated[
        list[str] | None,
        typer.Option("--scorer", metavar="NAME", help="May be given several times [default: selfcheck-nli]."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write here, or go on where it stopped [default: stdout]."),
    ] = None,
    nli: Annotated[
        str | None, typer.Option(help="The entailment model; the same as --set nli.path=MODEL.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The model that wrote the answers, or a judge, for scorers that ask one."),
    ] = None,
    seed: SeedOption = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Hallucination scores, in [0, 1], for answers that somebody else generated; higher = less consistent.

    Each line of FILE is an object {"question": ..., "passage": ..., "samples": [...]}, with an "id" if you
    like: an answer, and more answers to the same question, sampled at temperature 1.  Each line of the output
    has its "id" and "line", "scores" by scorer, and "details"; one that cannot be scored has an "error".
    With --out the settings are kept beside it (OUT.recipe.yaml): it takes no scores made with others.

    \b
    Examples:
      selfstudy score answers.jsonl --nli potsawee/deberta-v3-large-mnli --out scores.jsonl
      selfstudy score answers.jsonl --scorer agreement --scorer semantic-entropy-discrete
      generate | selfstudy score - --scorer agreement --set answering.block_size=1
    """
    with session(allow):
        changes = overrides(model, seed, set_, nli=nli)
        from selfstudy.progress import Terminal
        from selfstudy.recipe.file import make_recipe
        from selfstudy.run.models import servers_for
        from selfstudy.verbs import score as scoring

        recipe = make_recipe({}, changes)
        names = list(dict.fromkeys(scorer or [recipe.probe.scorer]))
        chosen = any(change.startswith("model") for change in changes)
        if out is not None and out.exists() and file.exists() and out.samefile(file):
            raise DataError(f"{out} is the input itself", "give another file with --out")
        report = Terminal()
        with (
            _input(file) as lines,
            _counted(file, report) as advance,
            servers_for(recipe, report.note) as servers,
        ):
            done = scoring.open_output(out, names, recipe) if out is not None else None
            scorers = scoring.make_scorers(names, recipe, chosen, report.note, servers)
            tally = scoring.score_lines(
                lines,
                scorers,
                _writer(out),
                block_size=recipe.answering.block_size,
                done=done,
                advance=advance,
            )
        if not tally.given:
            raise DataError(
                f"{file} holds no lines", 'give a line {"question", "passage", "samples"} for each'
            )
        kept = f", {tally.kept:,} were there already" if tally.kept else ""
        failed = f', {tally.failed:,} failed (see their "error")' if tally.failed else ""
        report.note(f"{tally.given:,} lines: {tally.scored:,} scored{failed}{kept}")


@contextmanager
def _input(path: Path) -> Iterator[Iterable[bytes]]:
    """The lines of the input file, or of stdin."""
    from selfstudy.files import reading

    if str(path) == "-":
        yield reading.lines(sys.stdin.buffer)
        return
    try:
        reading.check(path)
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", "check the path") from None
    with file:
        yield reading.lines(file)


@contextmanager
def _counted(path: Path, report: Reporter) -> Iterator[Callable[[int], None]]:
    """Progress over the lines of a file; stdin and a pipe do not say how many will come."""
    if str(path) == "-" or not path.is_file():
        yield lambda count: None
        return
    from selfstudy.files import reading

    with path.open("rb") as file:
        total = sum(1 for line in reading.lines(file) if line.strip())
    with report.task("scoring", total) as advance:
        yield advance


def _writer(out: Path | None) -> Callable[[bytes], object]:
    """Appends to the output file, or writes to stdout; a reader that goes away there ends it quietly."""
    from selfstudy.verbs import score as scoring

    if out is not None:
        return lambda data: scoring.append_rows(out, data)

    def write(data: bytes) -> None:
        try:
            if sys.stdout.isatty():
                say(data.decode().rstrip("\n"))
                return
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            silence(sys.stdout)  # or Python complains at exit
            raise typer.Exit(1) from None

    return write
