"""The verb why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.session import RunFolder, app, session
from selfstudy.errors import RunError
from selfstudy.screen import say

if TYPE_CHECKING:
    from pydantic import BaseModel

    from selfstudy.run import Run
    from selfstudy.verbs.why import Lineage


@app.command(short_help="How a run came to know a question; or what rests on a source.")
def why(
    run: RunFolder,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="In your words, or its id.", show_default=False)
    ] = "",
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="PATTERN",
            help="What rests on these sources: a host, a folder, the start of a URL, or a pattern with *.",
        ),
    ] = "",
    route: Annotated[
        bool, typer.Option("--route", help="Also load what the router goes by, which takes seconds.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Follow a question back: who proposed it, which source answers it, what was trained in which step.

    Shows what the model said before and after, in each wording, which adapter was taught it, and what became
    of that.  No model is loaded and nothing is changed.

    \b
    Examples:
      selfstudy why runs/demo "What is the capital of Fiji?"
      selfstudy why runs/demo "capital of fiji" --json
      selfstudy why runs/demo --source atlas:country/Fiji
    """
    with session():
        from selfstudy.run import Run

        if bool(question.strip()) == bool(source.strip()):
            raise RunError("why takes a question, or --source", 'selfstudy why RUN "What is ...?"')
        with Run.open(run, write=False) as opened:
            if source.strip():
                _source(opened, source, json_=json_)
            else:
                _question(opened, question, route=route, json_=json_)


def _question(run: Run, question: str, *, route: bool, json_: bool) -> None:
    from selfstudy.cli.why_screen import print_lineage
    from selfstudy.verbs.why import why as followed

    lineage = followed(run, question, route=route)
    if json_:
        say(_json(lineage))
    elif lineage.found:
        print_lineage(lineage)
    if not lineage.found:
        raise not_found(run, lineage)


def _json(found: BaseModel) -> str:
    """In letters that any terminal has; NaN, of a training that diverged, is null."""
    return json.dumps(json.loads(found.model_dump_json()), indent=2)


def not_found(run: Run, lineage: Lineage) -> RunError:
    """The error for a question that the run does not have, or has several of."""
    from selfstudy.cli.why_screen import quoted
    from selfstudy.text import lines_below, shortened

    asked = shortened(lineage.asked, 200)
    told = [f"{quoted(one.text)} ({one.nearness:.2f}, {one.question_id})" for one in lineage.likely]
    if lineage.ambiguous:
        return RunError(
            f"{len(told)} questions of {run.path} are as near to {quoted(asked)}:{lines_below(told, 20)}",
            "give the words of one of them, or its id",
        )
    below = f"; the nearest:{lines_below(told)}" if told else ""
    return RunError(
        f"{run.path} has no question like {quoted(asked)}{below}", "give its words, or one of these ids"
    )


def _source(run: Run, pattern: str, *, json_: bool) -> None:
    from selfstudy.cli.why_screen import print_source
    from selfstudy.verbs.why_source import why_source

    found = why_source(run, pattern)
    if json_:
        say(_json(found))
    elif found.found:
        print_source(found)
    if not found.found:
        raise RunError(
            f"{run.path} knows no source that {pattern[:200]!r} names",
            "patterns are spelled as gather.exclude has them: a host, a folder, or with * and ?",
        )
