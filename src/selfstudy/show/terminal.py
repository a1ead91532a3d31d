"""The end of a run in the terminal: what changed, whether it was promoted and why, what failed.

It prints a summary (selfstudy.summary) and knows nothing of where the numbers came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from selfstudy.show.charts import Change, changes
from selfstudy.show.words import duration, headline, percent, points_of_percent, published_figures, sampled

GOOD, BAD = "green", "red"


def print_summary(summary: dict[str, Any], console: Console) -> None:
    """Print `summary` compactly."""
    console.print()
    console.print(Text(headline(summary), style="bold"))
    console.print(_facts(summary))
    measured = changes(summary)
    if measured:
        console.print(_table(measured))
    _decision(summary, console)
    _troubles(summary, console)
    seconds = summary.get("seconds") or {}
    if seconds:
        parts = ", ".join(f"{escape(str(stage))} {duration(value)}" for stage, value in seconds.items())
        console.print(f"[dim]time[/dim]    {duration(sum(seconds.values()))} ({parts})", highlight=False)


def _facts(summary: Mapping[str, Any]) -> Text:
    facts = [f"{summary.get('questions', 0):,} questions", f"{summary.get('gaps', 0):,} gaps"]
    for name in ("auroc", "slc", "curiosity", "awareness", "brevity"):
        if summary.get(name) is not None:
            shown = name.upper() if name in ("auroc", "slc") else name
            facts.append(f"{shown} {summary[name]:.3f}{sampled(summary) if name == 'curiosity' else ''}")
    published = published_figures(summary)
    verdicts = [f"{count:,} {kind}" for kind, count in (summary.get("verdicts") or {}).items() if count]
    lines = [" · ".join(facts)]
    if published:
        lines.append("published: " + " · ".join(published))
    if summary.get("threshold_note"):
        lines.append(f"threshold {summary['threshold_note']}")
    if summary.get("samples_saved"):
        lines.append(f"{summary['samples_drawn']:,} samples, {percent(summary['samples_saved'])} saved")
    if verdicts:
        lines.append("verdicts: " + " · ".join(verdicts))
    return Text("\n".join(lines), style="dim")


def _table(measured: list[Change]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for name in ("before", "after", "change", "asked"):
        table.add_column(name, justify="right")
    for change in measured:
        table.add_row(
            change.label,
            percent(change.before),
            percent(change.after),
            _difference(change),
            "" if change.count is None else f"{change.count:,}",
        )
    return table


def _difference(change: Change) -> Text:
    if change.difference is None:
        return Text("")
    style = {"better": GOOD, "worse": BAD}.get(change.word, "")
    return Text(points_of_percent(change.difference), style=style)


def _decision(summary: Mapping[str, Any], console: Console) -> None:
    promoted = summary.get("promoted")
    if promoted is None:
        return
    word = Text("promoted", style=f"bold {GOOD}") if promoted else Text("not promoted", style=f"bold {BAD}")
    console.print(word)
    for reason in summary.get("reasons") or []:
        console.print(Text(f"  - {reason}"))


def _troubles(summary: Mapping[str, Any], console: Console) -> None:
    errors = {stage: count for stage, count in (summary.get("errors") or {}).items() if count}
    if errors:
        parts = ", ".join(f"{stage} {count:,}" for stage, count in errors.items())
        console.print(Text(f"failed items: {parts} (see failures.jsonl and the report)", style="yellow"))
    if summary.get("skipped"):
        console.print(Text(f"library files not used: {summary['skipped']:,}", style="yellow"))
