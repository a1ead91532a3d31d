"""What the verb rate prints: the figures of rewards side by side, and what an audit found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from selfstudy.screen import console, say

if TYPE_CHECKING:
    from selfstudy.verbs.rate import RewardColumn
    from selfstudy.verbs.rating.audit import OrderFigures
    from selfstudy.verbs.rating.given import Given
    from selfstudy.verbs.rating.measures import RewardMeasures

_MOST_NAMED = 5
"""Rows that cannot be read, of which the place is told."""
_MOST_LENGTH = 0.5
_FEWEST_FOR_LENGTH = 20
"""A correlation with length from which on a person is told, and the answers that it takes."""


def say_given(given: Given) -> None:
    """What the file holds, and what of it cannot be read."""
    repeats = sum(one.repeats for one in given.prompts)
    also = f", and {repeats:,} that repeat another" if repeats else ""
    say(f"{len(given.prompts):,} prompts, {given.answers:,} answers{also}")
    if given.failures:
        for place, why in given.failures[:_MOST_NAMED]:
            say(f"{place}: {why}", err=True)
        more = len(given.failures) - _MOST_NAMED
        if more > 0:
            say(f"and {more:,} more", err=True)
        say(f"{len(given.failures):,} failed: rows or answers that cannot be read", err=True)


def print_columns(columns: Sequence[RewardColumn]) -> None:
    """The figures, a line each and a column for each reward."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for column in columns:
        table.add_column(column.name, justify="right")
    for label, cell in _LINES.items():
        cells = [cell(column.measures) for column in columns]
        if any(cells):
            table.add_row(label, *(one or "-" for one in cells))
    for why in dict.fromkeys(why for column in columns for why in column.measures.dropped):
        table.add_row(f"dropped: {why}", *(f"{c.measures.dropped.get(why, 0):,}" for c in columns))
    screen = console()
    screen.width = max(screen.width, 100)  # a table that is cut says nothing
    screen.print(table)
    for column in columns:
        if column.measures.problem:
            say(f"{column.name}: unscored mostly for: {column.measures.problem}")
        for warning in _warnings(column.measures):
            say(f"warning: {column.name}: {warning}")


def print_audit(columns: Sequence[RewardColumn], orders: OrderFigures | None) -> None:
    """What bad answers earned, and what a judge said of pairs in both orders."""
    say()
    for column in columns:
        for one in column.bad:
            earned, usual = _number(one.earned), _number(one.answers)
            say(
                f"{column.name}: {one.kind} earns {earned or 'nothing readable'} "
                f"(answers: {usual or '-'}; medians over {one.tried:,} prompts)"
            )
            if one.suspicious:
                say(
                    f"warning: {column.name}: {one.kind} is paid no less than the median answer: "
                    "do not train on this reward"
                )
    if orders is None:
        say("both orders: no pair was judged in both, so nothing is known of bias for the place")
        return
    said = orders.judged
    bias = "-" if said.position_bias is None else f"{said.position_bias:+.2f}"
    say(
        f"both orders: {said.counted:,} pairs ({said.missing:,} not read), "
        f"consistent {said.consistency:.2f}, bias for the first place {bias} (0: none), "
        f"first both times {said.primacy:,}, second {said.recency:,}"
    )
    win = said.win_rate
    controlled = "" if orders.controlled is None else f", {orders.controlled:.2f} at equal length"
    say(f"the chosen answer wins {win.value:.2f} ({win.low:.2f} to {win.high:.2f}){controlled}")
    if orders.longer is not None:
        say(f"the chosen answer is the longer one in {orders.longer:.2f} of pairs")


def _warnings(found: RewardMeasures) -> list[str]:
    warnings = []
    if found.scored > 1 and found.spread == 0:
        warnings.append("every answer earned the same: this judge tells nothing apart")
    many = found.name != "random" and found.scored >= _FEWEST_FOR_LENGTH
    if many and found.length is not None and abs(found.length) >= _MOST_LENGTH:
        more = "longer" if found.length > 0 else "shorter"
        warnings.append(f"{more} answers earn more (correlation {found.length:+.2f}): see --audit")
    return warnings


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else ""


def _of(shape: str, value: float | None, n: int) -> str:
    return "" if value is None else f"{value:{shape}} (n {n:,})"


def _auroc(found: RewardMeasures) -> str:
    if found.auroc is None:
        return ""
    bounds = found.auroc_bounds
    return f"{found.auroc:.2f}" + (f" ({bounds.low:.2f} to {bounds.high:.2f})" if bounds else "")


_LINES: dict[str, Callable[[RewardMeasures], str]] = {
    "scored": lambda one: f"{one.scored:,}",
    "share unscored": lambda one: f"{one.unscored:.2f}",
    "mean": lambda one: _number(one.mean),
    "spread (sd)": lambda one: _number(one.spread),
    "ties of two answers": lambda one: _share(one.tied, one.compared),
    "correlation with length": lambda one: (
        "" if one.length is None else f"{one.length:+.2f} (n {one.scored:,})"
    ),
    "AUROC, right answers": _auroc,
    "right before wrong": lambda one: _of(".2f", one.ordered, one.orders),
    "pairs": lambda one: f"{one.pairs:,}",
    "calls per pair": lambda one: "" if one.calls is None else f"{one.calls:.1f}",
    "tokens per pair": lambda one: "" if one.tokens is None else f"{one.tokens:,.0f}",
}
"""What is told of a reward; a line without any value is left out."""
