"""The verb correct."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from selfstudy.cli.session import RunFolder, app, session
from selfstudy.screen import say


@app.command(short_help="Say what is right or wrong about a question of a run.")
def correct(
    run: RunFolder,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="In your words, or its id.", show_default=False)
    ],
    label: Annotated[
        Literal["right", "wrong", "cannot-tell"] | None,
        typer.Option("--label", help="Of the model's first answer, before it was taught."),
    ] = None,
    reference: Annotated[
        str, typer.Option("--reference", metavar="TEXT", help="The right answer, as a sentence.")
    ] = "",
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for whoever reads it.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")] = "",
) -> None:
    """Correct what a run found: its model's answer, or the reference it was judged by.

    A label counts in `selfstudy calibrate`; a reference is what the question is judged by when it is asked
    again (docs/correcting.md).  What was said before is kept; the last saying counts.  May be given while
    the run works.

    \b
    Examples:
      selfstudy correct runs/demo "What is the capital of Fiji?" --label wrong
      selfstudy correct runs/demo "capital of fiji" --reference "The capital of Fiji is Suva." --by Ana
    """
    with session():
        from selfstudy.cli.why_screen import quoted
        from selfstudy.cli.why_verb import not_found
        from selfstudy.run import Run
        from selfstudy.verbs.correct import correct as corrected

        with Run.open(run, write=False) as opened:
            lineage, said = corrected(
                opened,
                question,
                label="cannot tell" if label == "cannot-tell" else label,
                reference=reference,
                note=note,
                by=by,
            )
            if said is None:
                raise not_found(opened, lineage)
        say(f"kept, as saying {said.number:,} of this run, of {quoted(lineage.text or lineage.question_id)}")
        if said.label:
            say(f"the model's answer: {said.label}; it counts in: selfstudy calibrate {run}")
        if said.reference:
            say("the reference counts when the question is asked again (docs/correcting.md says how)")
