"""The verb init: a first recipe, and the schema of recipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selfstudy.cli.session import INTERRUPTS, app, session
from selfstudy.errors import ModelError, RecipeError
from selfstudy.screen import printable, say

if TYPE_CHECKING:
    from selfstudy.errors import SelfstudyError
    from selfstudy.verbs.doctor.numbers import MachineNumbers
    from selfstudy.verbs.starting import InitQuestion

FILE = Path("mine.yaml")


def _goals() -> list[str]:
    from selfstudy.recipe.goals import GOALS

    return list(GOALS)


def _sizes() -> list[str]:
    from selfstudy.recipe.goals import SIZES

    return list(SIZES)


@app.command(short_help="Write a first recipe, that fits this machine and the model.")
def init(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write it [default: mine.yaml].")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="A folder, a Hub id, the URL of a server, or atlas [default: atlas]."),
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option("--model-name", metavar="NAME", help="What a server calls the model, with a URL."),
    ] = None,
    documents: Annotated[
        list[str] | None,
        typer.Option(
            "--documents",
            metavar="PATH",
            help="A folder or file, atlas, or none; may be given several times.",
        ),
    ] = None,
    goal: Annotated[
        str | None,
        typer.Option(
            "--goal",
            metavar="GOAL",
            help="facts, questions, cite or measure [default: facts].",
            autocompletion=_goals,
        ),
    ] = None,
    questions: Annotated[
        str | None,
        typer.Option("--questions", metavar="PATH", help="For the goal questions: a file, one a line."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="look, small, usual, or minutes after which to stop [default: by the machine].",
            autocompletion=_sizes,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema/--no-schema", help="Also write what editors complete keys by.")
    ] = True,
    json_schema: Annotated[
        bool, typer.Option("--json-schema", help="Write that alone [default: print it].")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a first recipe: a few questions, or flags; then a file with comments, and what to do with it.

    Where nobody is at a terminal, or with --yes, nothing is asked: what is not given has its default. No
    model is loaded, and nothing is downloaded.

    \b
    Examples:
      selfstudy init
      selfstudy init mine.yaml --model Qwen/Qwen3-0.6B --documents ./my-docs --goal facts --size look
      selfstudy init --yes
      selfstudy init --json-schema recipe.schema.json
    """
    with session():
        if json_schema:
            _write_schema(file, force=force)
            return
        from selfstudy.verbs.starting import SCHEMA, require_free

        file = file or FILE
        if file.name == SCHEMA:
            raise RecipeError(
                f"{SCHEMA} is what the schema beside a recipe is called",
                "give another name, or --json-schema to write that",
            )
        require_free(file, force=force)
        given = {
            "model": model,
            "model-name": model_name,
            "documents": documents or None,
            "goal": goal,
            "questions": questions,
            "size": size,
        }
        _write_recipe(file, given, yes=yes, schema=schema, force=force)


def _write_schema(file: Path | None, *, force: bool) -> None:
    from selfstudy.verbs.starting import schema_text, write_new

    if file is None:
        say(schema_text(), end="")
        return
    write_new(file, schema_text(), force=force)
    say(f"wrote {file}; above a recipe put: # yaml-language-server: $schema={file.name}")


def _write_recipe(file: Path, given: Mapping[str, Any], *, yes: bool, schema: bool, force: bool) -> None:
    from selfstudy.verbs.starting import SCHEMA, first_recipe, is_schema, schema_text, settle, write_new

    asks = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    if asks:
        say("A first recipe. Enter takes what stands in brackets; Ctrl-C ends, and writes nothing.")
    settled = settle(given, _machine, _ask if asks else None, _tell)
    beside = file.parent / SCHEMA
    there = os.path.lexists(beside)
    schema = schema and (not there or is_schema(beside))
    made = first_recipe(settled, file, _machine(), schema=schema)
    write_new(file, made.text, force=force)
    if asks:
        say()
    say(f"wrote {file}")
    if schema and not there:
        write_new(beside, schema_text(), force=False)
        say(f"wrote {beside}, by which editors complete and check it")
    for warning in made.warnings:
        say(f"caution: {warning}", err=True)
    say("next:")
    for line in made.commands:
        say(f"  {line}")


@cache
def _machine() -> MachineNumbers:
    from selfstudy.verbs.doctor.numbers import machine_numbers

    try:
        return machine_numbers()
    except (ImportError, OSError) as error:
        raise ModelError(f"torch cannot be imported: {error}", "selfstudy doctor says what to do") from None


def _ask(question: InitQuestion, default: str | None) -> str:
    """Puts a question to the person at the terminal; Ctrl-C and the end of input write nothing."""
    say(f"\n{question.text}")
    for line in question.help.splitlines():
        say(f"  {line}")
    try:
        answer: str = typer.prompt(
            printable(question.name), default=default or "", show_default=default is not None, type=str
        )
    except (typer.Abort, KeyboardInterrupt):
        INTERRUPTS.enough()
        say("\nstopped; nothing was written", err=True)
        raise typer.Exit(130) from None
    return answer


def _tell(error: SelfstudyError) -> None:
    say(f"  {error}")
