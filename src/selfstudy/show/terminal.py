"""The end of a run in the terminal: what changed, whether it was promoted and why, what failed.

It prints a summary (selfstudy.summary) and knows nothing of where the numbers came from.
"""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from selfstudy.progress import duration
from selfstudy.records import STAGES
from selfstudy.show.charts import Change, changes
from selfstudy.show.routing import HEADINGS, shown_adapters
from selfstudy.show.suites import ShownSuite, shown_suites
from selfstudy.show.words import (
    cautions,
    curated,
    decision,
    headline,
    percent,
    points_of_percent,
    published_figures,
    sampled,
)
from selfstudy.summary import Summary
from selfstudy.summary.model import Routing

GOOD, BAD = "green", "red"


def print_summary(summary: Summary, console: Console) -> None:
    """Print `summary` compactly."""
    console.print()
    console.print(Text(headline(summary), style="bold"))
    console.print(_facts(summary))
    measured = changes(summary)
    if measured:
        console.print(_table(measured))
    for suite in shown_suites(summary.suites):
        console.print(suite_table(suite, main=True))
    if summary.routing is not None:
        console.print(_adapters(summary.routing))
    _decision(summary, console)
    _troubles(summary, console)
    seconds = summary.seconds
    if seconds:
        parts = ", ".join(f"{escape(str(stage))} {duration(value)}" for stage, value in seconds.items())
        told = sum(summary.estimated.values())
        left = [stage for stage in STAGES if stage in seconds and stage not in summary.estimated]
        without = f" without {', '.join(left)}" if left else ""
        said = f"; the estimate said {duration(told)}{without}" if told else ""
        took = f"{duration(sum(seconds.values()))} ({parts}){said}"
        console.print(f"[dim]time[/dim]    {took}", highlight=False)


def _facts(summary: Summary) -> Text:
    facts = [f"{summary.questions:,} questions", f"{summary.inconsistent:,} inconsistent"]
    if summary.gaps is not None:
        facts.append(f"{summary.gaps:,} gaps")
    metrics = []
    for name in ("auroc", "slc", "curiosity", "awareness", "brevity"):
        if summary[name] is not None:
            shown = name.upper() if name in ("auroc", "slc") else name
            metrics.append(f"{shown} {summary[name]:.3f}{sampled(summary) if name == 'curiosity' else ''}")
    published = published_figures(summary)
    verdicts = [f"{count:,} {kind}" for kind, count in summary.verdicts.items() if count]
    lines = [" · ".join(part) for part in (facts, metrics) if part]
    lines += curated(summary)
    if published:
        lines.append("published: " + " · ".join(published))
    if summary.threshold_note:
        lines.append(f"threshold {summary.threshold_note}")
    if summary.samples_saved:
        lines.append(f"{summary.samples_drawn:,} samples, {percent(summary.samples_saved)} saved")
    if verdicts:
        lines.append("verdicts: " + " · ".join(verdicts))
    return Text("\n".join(lines), style="dim")


def _table(measured: list[Change]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    controlled = any(change.control is not None for change in measured)
    for name in ("before", "after", "change", *(["control's"] if controlled else []), "asked"):
        table.add_column(name, justify="right")
    for change in measured:
        table.add_row(
            change.label,
            percent(change.before),
            percent(change.after),
            _difference(change),
            *([_points(change.control_difference)] if controlled else []),
            "" if change.count is None else f"{change.count:,}",
        )
    return table


def suite_table(suite: ShownSuite, *, main: bool = False) -> Table:
    """The figures of a suite, before and after where two models were asked.

    Args:
        main: those alone of which less or more is better; else all, with their intervals.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(Text(f"suite {suite.name}" if main else suite.name))
    headings = ("before", "after", "difference", "") if suite.both else ("value", "")
    for heading in (*headings, "n", "left out"):
        table.add_column(heading, justify="right")
    for one in suite.figures:
        if main and not one.judged:
            continue
        style = {"better": GOOD, "worse": BAD}.get(one.word, "")
        difference = f"{one.difference} ({one.interval})" if one.difference else ""
        compared = [one.before, one.after, Text(difference, style=style), one.word]
        alone = [one.before, f"({one.before_interval})" if one.before_interval else ""]
        table.add_row(Text(one.name), *(compared if suite.both else alone), one.n, one.left_out)
    return table


def _adapters(routing: Routing) -> Table:
    """Which adapters there are, and what the router gave them of what verify asked."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(HEADINGS[0])
    for heading in HEADINGS[1:]:
        table.add_column(heading, justify="right")
    for one in shown_adapters(routing):
        table.add_row(Text(one.name), *one.figures)
    return table


def _difference(change: Change) -> Text:
    if change.difference is None:
        return Text("")
    style = {"better": GOOD, "worse": BAD}.get(change.word, "")
    return Text(points_of_percent(change.difference), style=style)


def _points(difference: float | None) -> str:
    return "" if difference is None else points_of_percent(difference)


def _decision(summary: Summary, console: Console) -> None:
    if summary.promoted is None:
        return
    console.print(Text(decision(summary), style=f"bold {GOOD if summary.promoted else BAD}"))
    for reason in summary.reasons:
        console.print(Text(f"  - {reason}"))
    for caution in cautions(summary):
        console.print(Text(f"  {caution}", style="dim"))


def _troubles(summary: Summary, console: Console) -> None:
    errors = {stage: count for stage, count in summary.errors.items() if count}
    if errors:
        parts = ", ".join(f"{stage} {count:,}" for stage, count in errors.items())
        console.print(Text(f"failed items: {parts} (see failures.jsonl and the report)", style="yellow"))
    if summary.skipped:
        console.print(Text(f"library files not used: {summary.skipped:,}", style="yellow"))
