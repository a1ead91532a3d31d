"""The verb calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.session import RunFolder, app, say_next, session
from selfstudy.screen import console, say

if TYPE_CHECKING:
    from rich.table import Table

    from selfstudy.probe.calibration import Calibration, Cut


@app.command(short_help="Measure the score of a run, and find the right threshold.")
def calibrate(
    run: RunFolder,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="A .jsonl or .csv with question (or question_id) and known "
            "[default: what people said (correct), else the answer key, or what verify checked].",
        ),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option("--scorer", metavar="NAME", help="Only this scorer [default: all of the run]."),
    ] = None,
    precision: Annotated[
        float,
        typer.Option(
            "--precision", min=0.01, max=1.0, help="Share of the gaps found that should be real ones."
        ),
    ] = 0.9,
) -> None:
    """Measure how well the scores of a run tell what the model does not know, on labelled questions.

    Finds the smallest threshold that reaches the wanted precision and keeps it: later runs of the same models
    and scorer use it, unless their recipe sets probe.threshold.

    \b
    Examples:
      selfstudy calibrate runs/today
      selfstudy calibrate runs/today --labels known.csv --precision 0.95
      selfstudy calibrate runs/today --scorer agreement
    \b
    A line of a labels file:
      {"question": "What is the capital of Peru?", "known": true}
    """
    with session():
        from selfstudy.loop import Study
        from selfstudy.progress import Terminal
        from selfstudy.run import Run

        with Run.open(run) as opened:
            made = Study(opened, Terminal()).calibrate(labels, scorer, precision)
        screen = console()
        screen.width = max(screen.width, 100)  # a table that is cut says nothing
        screen.print(_table(made))
        for calibration in made:
            say(_verdict(calibration))
            say(_chances(calibration))
        say_next("report", run)


def _table(made: Sequence[Calibration]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("scorer")
    table.add_column("AUROC", justify="right")
    table.add_column("threshold")
    for name in ("", "precision", "recall", "F1", "error of score", "of map"):
        table.add_column(name, justify="right")
    for one in made:
        mapped = "" if one.error_of_map is None else f"{one.error_of_map:.3f}"
        errors = (f"{one.error_of_score:.3f}", mapped)
        table.add_row(one.scorer, f"{one.auroc:.3f}", "in use", *_figures(one.in_use), *errors)
        if one.cut is not None:
            table.add_row("", "", "calibrated", *_figures(one.cut))
    return table


def _figures(cut: Cut) -> tuple[str, str, str, str]:
    precision = "none above" if cut.precision is None else f"{cut.precision:.3f}"
    return f"{cut.threshold:.3g}", precision, f"{cut.recall:.3f}", f"{cut.f1:.3f}"


SCORES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""At which the chance that a question is unknown is shown."""


def _chances(one: Calibration) -> str:
    from selfstudy.probe.calibration import probability

    chances = (f"{probability(one.knots, score):.2f} at a score of {score:g}" for score in SCORES)
    return f"    P(unknown): {', '.join(chances)}"


def _verdict(one: Calibration) -> str:
    bounds = one.auroc_interval
    sure = f"({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else "(too few of a kind for an interval)"
    start = f"{one.scorer}: AUROC {one.auroc:.3f} {sure} on {one.labels:,} labels; "
    if one.cut is None:
        best = one.best
        return (
            f"{start}no threshold reaches precision {one.wanted:g}; the best is {best.precision or 0:.3f}, "
            f"above {best.threshold:.3g} (recall {best.recall:.3f}). Later runs keep the default threshold."
        )
    expected = "" if one.expected is None else f" ({one.expected:.3f} on questions it was not chosen on)"
    return (
        f"{start}a score above {one.cut.threshold:.3g} means unknown with precision "
        f"{one.cut.precision:.3f}{expected} and finds {one.cut.recall:.1%} of what is unknown."
    )
