"""The verb compare."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from selfstudy.cli.session import app, session
from selfstudy.screen import console, say


@app.command(short_help="Scorers and ways of asking, side by side.")
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run directories.", show_default=False)
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="A .jsonl or .csv with question (or question_id) and known "
            "[default: the answer key, or what verify checked].",
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with charts.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write the page in the place of a file that is none of ours.")
    ] = False,
) -> None:
    """Put the scorers and ways of asking of one or several runs side by side.

    For every scorer: how well it finds what the model does not know (AUROC, where there are labels), how many
    gaps it sees, what it costs per question, and how far it agrees with the others.  No model is loaded.  A
    run has several scorers if its recipe names them in probe.compare.

    \b
    Examples:
      selfstudy compare runs/today
      selfstudy compare runs/mistral runs/phi --html compare.html
      selfstudy compare runs/today --labels known.csv --json > compare.json
    """
    with session():
        from selfstudy.probe.comparison import compare as side_by_side
        from selfstudy.run import Run

        with ExitStack() as stack:
            opened = [stack.enter_context(Run.open(path, write=False)) for path in runs]
            data = side_by_side(opened, labels).to_dict()
        if html is not None:
            from selfstudy.show.compare import write_comparison

            write_comparison(data, html, force=force)
        if json_:
            say(json.dumps(data, indent=2))
        else:
            from selfstudy.show.compare import print_comparison

            print_comparison(data, console())
            if html is not None:
                say(f"page: {html}")
