"""The verb socratic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from selfstudy.cli.items import say_failed
from selfstudy.cli.session import AllowOption, SeedOption, SetOption, app, overrides, session
from selfstudy.cli.socratic_options import chosen_source, require_alone, require_taught, require_used
from selfstudy.cli.socratic_screen import (
    print_measures,
    say_exercises,
    say_rows,
    show_given,
    write_rows,
)
from selfstudy.errors import RecipeError
from selfstudy.screen import say


@app.command(short_help="Questions with rationales become tutoring dialogues, rows that teach, and measures.")
def socratic(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A .jsonl, .csv, .json or .parquet file.", show_default=False),
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="Exercises are the gaps of this run.")
    ] = None,
    documents: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The teacher makes them of these documents: a folder, or a file."),
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
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first exercises; of documents, passages.")
    ] = None,
    block: Annotated[int, typer.Option(min=1, help="Dialogues that advance together.")] = 64,
    dialogues: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure these dialogues; no model is asked.")
    ] = None,
    seed: SeedOption = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Let a teacher tutor a student on every exercise of FILE, and measure whether it asks, tells and helps.

    A row has a problem, a rationale and an answer; the layouts of MathQA and GSM8K are known. Or exercises
    are the gaps of a run (--run), or the teacher makes them of documents (--documents). Teacher and student
    talk turn by turn, all dialogues of a block at once. What is done is kept in --out; the same command goes
    on where it stopped.

    \b
    Examples:
      selfstudy socratic mathqa.json --teacher Qwen/Qwen3-4B --student Qwen/Qwen3-0.6B --limit 200
      selfstudy socratic train.jsonl --teacher Qwen/Qwen3-4B --rows rows.jsonl --rejected outcome
      selfstudy socratic test.jsonl --teacher atlas --student-is pressing --compare --judge Qwen/Qwen3-4B
      selfstudy socratic --run runs/today --teacher Qwen/Qwen3-4B --student Qwen/Qwen3-0.6B
      selfstudy socratic --documents my-docs --teacher Qwen/Qwen3-4B --limit 200
      selfstudy socratic --dialogues dialogues.csv
    """
    with session(allow):
        from selfstudy.progress import Terminal
        from selfstudy.prompts import Prompts
        from selfstudy.recipe.file import make_recipe
        from selfstudy.run.models import servers_for
        from selfstudy.verbs.kept import KeptFolder, require_any
        from selfstudy.verbs.socratic.exercises import Exercises, named_columns
        from selfstudy.verbs.socratic.from_documents import ExerciseWriter
        from selfstudy.verbs.socratic.measures import FILE, write_measures
        from selfstudy.verbs.socratic.outputs import require_apart, require_free, require_outside
        from selfstudy.verbs.socratic.talk import MISCONCEPTION, Conversation
        from selfstudy.verbs.socratic.tutoring import COMPARED, Tutoring
        from selfstudy.verbs.socratic.voices import Voices

        columns = named_columns(column or [])
        source = chosen_source({"file": file, "run": run, "documents": documents}, dialogues, columns)
        if rows is not None:
            require_taught(tutor, rejected)
        if whole and tutor != "socratic":
            raise RecipeError(
                f"--whole and --tutor {tutor}: one who writes both sides is told to ask",
                "leave one of them out",
            )
        if source is None:
            require_alone(context)
            show_given(dialogues or Path(), columns, seed or 0)
            return
        require_used(context, rejected, rows=rows is not None)
        folder = KeptFolder(out or Path("socratic") / source.name, block)
        require_outside(folder.path, source.path, "--out")
        require_free(folder.path / FILE, source.path, "give another folder with --out")
        if rows is not None:
            require_outside(rows, source.path, "--rows")
            require_free(rows, source.path, "give --rows another name")
            require_apart(rows, folder.path)
        changes = overrides(student, seed, set_, teacher=teacher, judge=judge)
        recipe = make_recipe({}, changes)
        report = Terminal()
        with servers_for(recipe, report.note) as servers:
            voices = Voices(recipe, servers, weak)
            exercises = source.read(limit, report)
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
            # all are loaded before the first question or turn: a name that is wrong must not cost them
            voice = voices.weak if rejected == "weak" and rows is not None else voices.teacher
            judging = voices.judge
            if not isinstance(exercises, Exercises):
                unread = exercises.unread
                say_failed("not read", unread)
                writer = ExerciseWriter(
                    voices.teacher, talk.prompts, folder, report, recipe.answering.reading_tokens, recipe.seed
                )
                exercises = replace(writer.write(exercises.documents, limit), unread=unread)
            say_exercises(exercises)
            tutoring = Tutoring(
                exercises.usable, talk, voices.teacher, voices.student, folder, report, attempts
            )
            said = {
                kind: tutoring.dialogues(kind)
                for kind in dict.fromkeys((tutor, *(COMPARED if compare else ())))
            }
            if rows is not None:
                made = tutoring.rows(said[tutor], rejected, voice, splits, candidates)
                require_free(rows, source.path, "give --rows another name")
                write_rows(rows, made)
            found = tutoring.measures(said.values(), judging)
        say_failed("broke off", [f"{one.id}: {one.error}" for one in said[tutor] if one.error])
        write_measures(folder.path, exercises, found)
        print_measures(found)
        say(f"dialogues and measures: {folder.path}")
        if rows is not None:
            say_rows(rows, made)
        require_any("dialogues", [one.error for one in said[tutor]], "--teacher and --student")
