"""The verb socratic."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selfstudy.cli.session import AllowOption, SeedOption, SetOption, app, session
from selfstudy.errors import DataError, RecipeError
from selfstudy.screen import console, say

if TYPE_CHECKING:
    from selfstudy.verbs.socratic.measures import TutorMeasures
    from selfstudy.verbs.socratic.rows import PreferredTurns
    from selfstudy.verbs.socratic.talk import Dialogue

FAILURES = 5
"""Rows that are no exercise, and dialogues that broke off, that are named on the screen."""


@app.command(short_help="Questions with rationales become tutoring dialogues, rows that teach, and measures.")
def socratic(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A .jsonl, .csv, .json or .parquet file.", show_default=False),
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Who tutors; the same as --set teacher.path=MODEL.")
    ] = None,
    student: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Who is tutored [default: the teacher's model].")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep everything here; go on where it stopped [default: socratic/NAME]."
        ),
    ] = None,
    rows: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write preference rows as TRL has them (.jsonl).")
    ] = None,
    rejected: Annotated[
        Literal["telling", "weak", "outcome"], typer.Option(help="Where worse turns come from.")
    ] = "telling",
    weak: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Says worse turns for --rejected weak [default: the student's]."),
    ] = None,
    splits: Annotated[int, typer.Option(min=1, help="Rows of a dialogue at most.")] = 3,
    candidates: Annotated[int, typer.Option(min=2, help="Next turns compared by --rejected outcome.")] = 4,
    tutor: Annotated[
        Literal["socratic", "telling", "silent", "plain"], typer.Option(help="How the teacher teaches.")
    ] = "socratic",
    student_is: Annotated[
        Literal["frozen", "misconception", "pressing"], typer.Option(help="How the student behaves.")
    ] = "frozen",
    misconception: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What it believes, where the row does not say.")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="The teacher writes both sides at once.")] = False,
    turns: Annotated[int, typer.Option(min=1, max=100, help="Turns of the tutor at most.")] = 6,
    turn_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a turn at most.")] = 128,
    attempts: Annotated[
        int, typer.Option(min=0, help="Of a student before and after each dialogue; 0: not measured.")
    ] = 4,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also a silent tutor (floor) and one that tells (ceiling).")
    ] = False,
    judge: Annotated[str | None, typer.Option(metavar="MODEL", help="Also judges every tutor turn.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COLUMN", help="Where problem, rationale, answer, options, misconception stand."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first exercises.")] = None,
    block: Annotated[int, typer.Option(min=1, help="Dialogues that advance together.")] = 64,
    dialogues: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure these dialogues; no model is asked.")
    ] = None,
    seed: SeedOption = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Let a teacher tutor a student on every exercise of FILE, and measure whether it asks, tells and helps.

    A row has a problem, a rationale and an answer; the layouts of MathQA and GSM8K are known. Teacher and
    student talk turn by turn, all dialogues of a block at once. What is done is kept in --out; the same
    command goes on where it stopped.

    \b
    Examples:
      selfstudy socratic mathqa.json --teacher Qwen/Qwen3-4B --student Qwen/Qwen3-0.6B --limit 200
      selfstudy socratic train.jsonl --teacher Qwen/Qwen3-4B --rows rows.jsonl --rejected outcome
      selfstudy socratic test.jsonl --teacher atlas --student-is pressing --compare --judge Qwen/Qwen3-4B
      selfstudy socratic --dialogues dialogues.csv
    """
    with session(allow):
        from selfstudy.progress import Terminal
        from selfstudy.prompts import Prompts
        from selfstudy.recipe.file import make_recipe
        from selfstudy.run.models import servers_for
        from selfstudy.verbs.kept import KeptFolder
        from selfstudy.verbs.socratic.exercises import named_columns, read_exercises
        from selfstudy.verbs.socratic.measures import FILE, write_measures
        from selfstudy.verbs.socratic.outputs import require_apart, require_free
        from selfstudy.verbs.socratic.talk import MISCONCEPTION, Conversation
        from selfstudy.verbs.socratic.tutoring import COMPARED, Tutoring
        from selfstudy.verbs.socratic.voices import Voices

        columns = named_columns(column or [])
        if (file is None) == (dialogues is None):
            raise RecipeError("one file is wanted", "give FILE with exercises, or --dialogues FILE")
        if rows is not None and tutor != "socratic" and (tutor, rejected) != ("plain", "outcome"):
            raise RecipeError(
                f"rows of a {tutor} tutor teach nothing",
                "leave --tutor out, or --rows; by --rejected outcome a plain tutor's own turns are compared",
            )
        if whole and tutor != "socratic":
            raise RecipeError(
                f"--whole and --tutor {tutor}: one who writes both sides is told to ask",
                "leave one of them out",
            )
        if file is None:
            _require_alone(context)
            _show_given(dialogues or Path(), columns, seed or 0)
            return
        folder = KeptFolder(out or Path("socratic") / file.stem, block)
        require_free(folder.path / FILE, file, "give another folder with --out")
        if rows is not None:
            require_free(rows, file, "give --rows another name")
            require_apart(rows, folder.path)
        changes = _changes({"teacher": teacher, "model": student, "judge": judge}, seed, set_)
        recipe = make_recipe({}, changes)
        report = Terminal()
        with servers_for(recipe, report.note) as servers:
            voices = Voices(recipe, servers, weak)
            exercises = read_exercises(file, columns, limit)
            _say_failed("no exercise", exercises.failed)
            usable, failed = len(exercises.usable), len(exercises.failed)
            say(f"{usable:,} exercises, {exercises.repeats:,} repeats, {failed:,} failed")
            talk = Conversation(
                teacher=voices.teacher.lm,
                student=voices.student.lm,
                prompts=Prompts(recipe.prompts),
                tutor=tutor,
                plays=student_is,
                turns=turns,
                turn_tokens=turn_tokens,
                misconception=misconception or MISCONCEPTION,
                whole=whole,
                seed=recipe.seed,
            )
            # all are loaded before the first turn: a name that is wrong must not cost the dialogues
            voice = voices.weak if rejected == "weak" and rows is not None else voices.teacher
            judging = voices.judge
            tutoring = Tutoring(
                exercises.usable, talk, voices.teacher, voices.student, folder, report, attempts
            )
            said = {
                kind: tutoring.dialogues(kind)
                for kind in dict.fromkeys((tutor, *(COMPARED if compare else ())))
            }
            if rows is not None:
                made = tutoring.rows(said[tutor], rejected, voice, splits, candidates)
                require_free(rows, file, "give --rows another name")
                _write_rows(rows, made)
            found = tutoring.measures(said.values(), judging)
        _say_failed("broke off", [f"{one.id}: {one.error}" for one in said[tutor] if one.error])
        write_measures(folder.path, exercises, found)
        _print(found)
        say(f"dialogues and measures: {folder.path}")
        if rows is not None:
            _say_rows(rows, made)
        _require_any(said[tutor])


def _require_any(dialogues: Sequence[Dialogue]) -> None:
    """Refuses to end well where no dialogue did.

    Raises:
        DataError: all of them broke off; says the commonest reason.
    """
    reasons = [one.error for one in dialogues if one.error]
    if dialogues and len(reasons) == len(dialogues):
        why = Counter(reasons).most_common(1)[0][0]
        raise DataError(
            f"all {len(dialogues):,} dialogues broke off: {why}",
            "try the models (selfstudy doctor --model MODEL), or give others with --teacher and --student",
        )


def _print(found: Sequence[TutorMeasures]) -> None:
    from rich.table import Table

    from selfstudy.verbs.socratic.shown import lines

    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("tutor", no_wrap=True)
    for one in found:
        table.add_column(one.tutor, no_wrap=True)
    for name, cells in lines(found):
        table.add_row(name, *cells)
    screen = console()
    screen.width = max(screen.width, 32 + 34 * len(found))  # a table that is cut says nothing
    screen.print(table)


def _changes(models: dict[str, str | None], seed: int | None, rest: list[str] | None) -> list[str]:
    """Changes of the recipe: who tutors, who is tutored, who judges."""
    named = [f"{key}.path={json.dumps(model)}" for key, model in models.items() if model is not None]
    return named + ([f"seed={seed}"] if seed is not None else []) + (rest or [])


def _require_alone(context: typer.Context) -> None:
    """Refuses options that measuring dialogues of others does not know, rather than drop them.

    Raises:
        RecipeError: names them.
    """
    known = {"dialogues", "column", "seed", "allow"}
    dropped = [
        max(option.opts, key=len)
        for option in context.command.params
        if option.name and option.name not in known and _is_given(context, option.name)
    ]
    if dropped:
        raise RecipeError(
            f"--dialogues asks no model: {', '.join(dropped)} would do nothing",
            "leave that out, or give FILE with exercises",
        )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _show_given(path: Path, columns: dict[str, str], seed: int) -> None:
    from selfstudy.verbs.socratic.given import read_given
    from selfstudy.verbs.socratic.shown import by_rule

    given = read_given(path, columns, seed)
    _say_failed("no dialogue", given.failed)
    say(f"{given.rows:,} rows of {given.by_rule.dialogues:,} dialogues, {len(given.failed):,} failed")
    for name, cell in by_rule(given.by_rule):
        say(f"{name:<28} {cell}")


def _say_failed(what: str, failed: Sequence[str]) -> None:
    for line in failed[:FAILURES]:
        say(f"{what}: {line}", err=True)
    if len(failed) > FAILURES:
        say(f"and {len(failed) - FAILURES:,} more", err=True)


def _write_rows(path: Path, made: Sequence[PreferredTurns]) -> None:
    from selfstudy.files import jsonl, private
    from selfstudy.verbs.socratic.rows import trl_rows

    private.make_folder(path.parent)
    jsonl.replace(path, trl_rows(made), path, private.SHARED)


def _say_rows(path: Path, made: Sequence[PreferredTurns]) -> None:
    from collections import Counter

    count = sum(len(one.pairs) for one in made)
    without: Counter[str] = Counter()
    for one in made:
        without.update(one.without)
    say(f"preference rows: {count:,} in {path}")
    for reason, number in without.most_common():
        say(f"    {number:,} {'place' if number == 1 else 'places'} without one: {reason}")
    if count:
        say(f"next: {shlex.join(['selfstudy', 'import', str(path)])} --model MODEL")
