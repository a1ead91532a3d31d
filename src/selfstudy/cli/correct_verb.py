"""The verb correct."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selfstudy.cli.session import RunFolder, app, session
from selfstudy.errors import RecipeError
from selfstudy.screen import say

if TYPE_CHECKING:
    from selfstudy.records import Correction


@app.command(short_help="Say what is right or wrong about a question of a run.")
def correct(
    run: RunFolder,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="In your words, or its id.", show_default=False)
    ] = "",
    label: Annotated[
        Literal["right", "wrong", "cannot-tell"] | None,
        typer.Option("--label", help="Of the model's first answer, before it was taught."),
    ] = None,
    reference: Annotated[
        str, typer.Option("--reference", metavar="TEXT", help="The right answer, as a sentence.")
    ] = "",
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for whoever reads it.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")] = "",
    withdraw: Annotated[
        Literal["label", "reference"] | None,
        typer.Option("--withdraw", help="What was said of the question before counts no more."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="FILE",
            help="Write people's labels (.jsonl, .csv) for calibrate --labels.",
        ),
    ] = None,
) -> None:
    """Correct what a run found: its model's answer, or the reference it was judged by.

    A label counts in `selfstudy calibrate`; a reference is what the question is judged by when it is asked
    again (docs/correcting.md).  What was said before is kept; the last saying counts, and may
    be withdrawn.  May be given while the run works.

    \b
    Examples:
      selfstudy correct runs/demo "What is the capital of Fiji?" --label wrong
      selfstudy correct runs/demo "capital of fiji" --reference "The capital of Fiji is Suva." --by Ana
      selfstudy correct runs/demo "capital of fiji" --withdraw reference --note "that was another Fiji"
      selfstudy correct runs/demo --export labels.jsonl
    """
    with session():
        from selfstudy.cli.why_screen import quoted
        from selfstudy.cli.why_verb import not_found
        from selfstudy.run import Run
        from selfstudy.verbs.correct import correct as corrected

        if export is not None:
            given = (question, label, reference, note, by, withdraw)
            _export(run, export, alone=not any(given))
            return
        if not question:
            raise RecipeError("no question is named", "give it in your words, or by its id")
        with Run.open(run, write=False) as opened:
            lineage, said = corrected(
                opened,
                question,
                label="cannot tell" if label == "cannot-tell" else label,
                reference=reference,
                note=note,
                by=by,
                withdraws=withdraw,
            )
            if said is None:
                raise not_found(opened, lineage)
        say(f"kept, as saying {said.number:,} of this run, of {quoted(lineage.text or lineage.question_id)}")
        _say_what_follows(run, said)


def _say_what_follows(run: Path, said: Correction) -> None:
    if said.label:
        say(f"the model's answer: {said.label}; it counts in: selfstudy calibrate {run}")
    if said.reference:
        say("the reference counts when the question is asked again (docs/correcting.md says how)")
    if said.withdraws:
        then = "until somebody gives another one"
        if said.withdraws == "reference":
            then = "when the question is asked again, pages are read for it as for the others"
        say(f"the {said.withdraws} given before counts no more; {then}")


def _export(run: Path, target: Path, *, alone: bool) -> None:
    from selfstudy.run import Run
    from selfstudy.verbs.correct import export_labels

    if not alone:
        raise RecipeError("--export writes what was said, and says nothing itself", "give it alone")
    with Run.open(run, write=False) as opened:
        count = export_labels(opened, target)
    say(f"wrote {target}: {count:,} labels; read by: selfstudy calibrate {run} --labels {target}")
