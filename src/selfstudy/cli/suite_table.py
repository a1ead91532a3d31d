"""What the verb suite prints: figures before and after, and which suites there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from selfstudy.screen import console, say

if TYPE_CHECKING:
    from selfstudy.verify.suites.figures import SuiteFigure, SuiteResult


def print_results(results: Mapping[str, SuiteResult], labels: tuple[str, str]) -> None:
    """A table for each suite, and below it what a person must know of its figures.

    Args:
        labels: what the model before and the model after are called.
    """
    for name, result in results.items():
        say()
        _print(name, result, labels)
        if result.unmeasured:
            say(f"not measured: {result.unmeasured}", err=True)
        for note in result.notes:
            say(f"  {note}")
        if failed := max(result.failed_before, result.failed_after):
            of = max(result.asked_before, result.asked_after)
            say(
                f"{name}: {failed:,} of {of:,} items failed, most of them like this: {result.error}", err=True
            )


def _print(name: str, result: SuiteResult, labels: tuple[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    both = result.asked_after > 0
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(Text(name))
    for heading in (*labels, "difference", "") if both else (labels[0], ""):
        table.add_column(Text(heading), justify="right")
    for heading in ("n", "failed", *(["missing"] if both else [])):
        table.add_column(heading, justify="right")
    for figure_name, one in result.figures.items():
        table.add_row(Text(figure_name), *_cells(one, both=both))
    screen = console()
    screen.width = max(screen.width, 100)  # a table that is cut says nothing
    screen.print(table)


def _cells(one: SuiteFigure, *, both: bool) -> list[str]:
    counts = [
        f"{one.n:,}",
        f"{max(one.failed_before, one.failed_after):,}",
        *([f"{one.missing_before:,}, {one.missing_after:,}"] if both else []),
    ]
    if not both:
        return [number(one.before), between(one.before_interval), *counts]
    if one.difference is None or one.low is None or one.high is None:
        return [number(one.before), number(one.after), "", between(one.after_interval), *counts]
    told = f"{one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
    return [number(one.before), number(one.after), told, one.word, *counts]


def number(value: float | None) -> str:
    """A figure; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


def between(ends: tuple[float, float] | None) -> str:
    """An interval in brackets."""
    return "" if ends is None else f"({number(ends[0])} to {number(ends[1])})"


def print_list() -> None:
    """Every suite: what it is, what it needs, and what it measures."""
    from selfstudy.verbs.suite.listing import listed

    for one in listed():
        say(f"{one.name:<14}{one.says}")
        say(f"{'':<14}measures: {one.measures}")
        say(f"{'':<14}needs: {one.needs or 'nothing but the model'}")
        if one.may_use:
            say(f"{'':<14}uses, where it is there: {one.may_use}")
        say(f"{'':<14}options: {one.options}")
