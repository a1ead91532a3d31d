"""The verb publish."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from selfstudy.cli.session import RunFolder, app, session
from selfstudy.errors import RunError
from selfstudy.screen import say


@app.command(short_help="Hand over what a run taught: a folder, or the Hub.")
def publish(
    run: RunFolder,
    to: Annotated[
        str,
        typer.Option("--to", metavar="FOLDER | hub:OWNER/NAME", help="Where it goes.", show_default=False),
    ],
    merged: Annotated[
        bool, typer.Option("--merged", help="The whole model with the adapter merged in, in float32.")
    ] = False,
    gguf: Annotated[
        bool, typer.Option("--gguf", help="Also the adapter as a GGUF file, for llama.cpp.")
    ] = False,
    adapter: Annotated[
        str | None, typer.Option("--adapter", metavar="NAME", help="One of several (deploy: dynamic).")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="OWNER/NAME", help="Where others find the base model."),
    ] = None,
    license_: Annotated[
        str | None, typer.Option("--license", metavar="ID", help="Its licence, such as apache-2.0.")
    ] = None,
    data_license: Annotated[
        str | None, typer.Option("--data-license", metavar="TEXT", help="The licence of the documents.")
    ] = None,
    no_source_names: Annotated[
        bool, typer.Option("--no-source-names", help="Count the documents in the card, and name none.")
    ] = False,
    private: Annotated[bool, typer.Option("--private", help="A private repository.")] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Also what the gate did not promote; the card says so.")
    ] = False,
    least: Annotated[
        int | None,
        typer.Option("--least", metavar="N", min=1, max=10, help="Answers that must agree [default: all]."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier publication, or add a commit to a repository.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the upload.")] = False,
) -> None:
    """Write what a run has taught so that others load it without selfstudy, with a model card, and check it.

    A process with plain transformers and peft loads what was written and is asked ten questions of the run.
    If it answers otherwise than the run's own model, nothing is published. The card says what was taught,
    measured and not measured. No path, key or text of a document is in it; the documents are named.

    \b
    Examples:
      selfstudy publish runs/demo --to shared/demo
      selfstudy publish runs/demo --to hub:me/capitals --private --license apache-2.0
      selfstudy publish runs/demo --to shared/demo-whole --merged
    """
    with session():
        from selfstudy.verbs.publishing.publish import DONE, PublishOptions
        from selfstudy.verbs.publishing.publish import publish as hand_over

        options = PublishOptions(
            to=to,
            merged=merged,
            gguf=gguf,
            adapter=adapter,
            base=base,
            license=license_,
            data_license=data_license,
            source_names=not no_source_names,
            private=private,
            force=force,
            unverified=unverified,
            least=least,
        )
        done = hand_over(run, options, partial(say, err=True), lambda question: yes or _asked(question))
        say(f"{DONE}{done.place}")
        say(f"{done.check.same} of {done.check.asked} answers, loaded back, are those of the run")


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        raise RunError(f"nobody is there to answer: {question}", "give --yes")
    return typer.confirm(question)
