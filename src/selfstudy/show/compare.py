"""A comparison of scorers and ways of asking: in the terminal, and as a page of its own or part of a report.

Takes `Comparison.to_dict()`, which a summary holds as well, and computes nothing but the places of dots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from selfstudy.show.words import auroc_with_interval, milliseconds, number, percent
from selfstudy.version import __version__

JSONObject = Mapping[str, Any]


def print_comparison(data: JSONObject, console: Console) -> None:
    """Print `data`, the plain form of a comparison: scorers, agreement and ways of asking of each run."""
    agreed = {matrix.run: matrix for matrix in matrices(data)}
    for run in dict.fromkeys(row["run"] for row in data["scorers"]):
        console.print(Text(run, style="bold"))
        console.print(_scorers([(i, row) for i, row in enumerate(data["scorers"], 1) if row["run"] == run]))
        source = data["labels"].get(run)
        missing = "no labels, so no AUROC: give --labels FILE, or a recipe with an answer key"
        console.print(Text(f"labels: {source}" if source else missing, style="dim"))
        for caveat in data["caveats"].get(run, ()):
            console.print(Text(caveat, style="yellow"))
        console.print()
        if run in agreed:
            console.print(_agreement(agreed[run]))
            console.print()
        console.print(_methods([row for row in data["methods"] if row["run"] == run]))
        console.print()
    across = [pair for pair in data["agreements"] if pair["across"]]
    if across:
        console.print(_across(across, data["scorers"]))


def _table(left: str, right: Sequence[str], *, gap: int = 2) -> Table:
    table = Table(box=None, padding=(0, gap, 0, 0), header_style="dim")
    table.add_column(left, no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    table.caption_style, table.caption_justify = "dim", "left"
    return table


def _scorers(rows: Sequence[tuple[int, JSONObject]]) -> Table:
    cuts = {row["threshold"] for _, row in rows}
    failed = [
        f"{row['scorer']} {row['answers'] - row['scored']:,}"
        for _, row in rows
        if row["answers"] > row["scored"]
    ]
    names = ["AUROC", "interval", "above", "ms", "calls", "pairs"]
    table = _table("scorer", names + ["cut"] * (len(cuts) > 1))
    for i, row in rows:
        low, high = row["interval"] or (None, None)
        table.add_row(
            Text(f"{i} {row['scorer']}", style="bold" if row["decides"] else ""),
            number(row["auroc"], "{:.3f}"),
            "–" if low is None else f"{low:.3f}–{high:.3f}",
            percent(row["inconsistent"]),
            milliseconds(row["seconds"]),
            number(row["calls"], "{:.1f}"),
            number(row["pairs"], "{:.1f}"),
            *([f"{row['threshold']:.3g}"] if len(cuts) > 1 else []),
        )
    above = f"above: share of inconsistent questions, score above {min(cuts):.3g}; " if len(cuts) == 1 else ""
    table.caption = (
        f"{above}ms, LM calls and NLI pairs per question, shared work at the first scorer that did it"
        + (f"\nnot scored: {', '.join(failed)}" if failed else "")
    )
    return table


def _agreement(matrix: Matrix) -> Table:
    table = _table("agreement", [str(n) for n in matrix.numbers], gap=1)
    for i, (n, name, row) in enumerate(zip(matrix.numbers, matrix.names, matrix.cells, strict=True)):
        cells = []
        for j, pair in enumerate(row):
            same = "–" if pair is None else f"{pair['same'] * 100:.0f}"
            ranks = "–" if pair is None else number(pair["spearman"], "{:.2f}").replace("0.", ".")
            cells.append("" if i == j else same if j > i else ranks)
        table.add_row(f"{n} {name}", *cells)
    table.caption = (
        "right of the diagonal: equal verdicts in percent; left of it: rank correlation (Spearman)"
    )
    return table


def _methods(rows: Sequence[JSONObject]) -> Table:
    table = _table("way of asking", ("questions", "topics", "inconsistent", "AUROC"))
    for row in rows:
        table.add_row(
            row["method"],
            f"{row['questions']:,}",
            f"{row['topics']:,}",
            percent(row["inconsistent"]),
            auroc_with_interval(row),
        )
    return table


def _across(pairs: Sequence[JSONObject], scorers: Sequence[JSONObject]) -> Table:
    table = _table("the same scorer in two runs", ("questions", "equal verdicts", "rank correlation"))
    for pair in pairs:
        one, other = scorers[pair["left"]], scorers[pair["right"]]
        table.add_row(
            Text(f"{one['scorer']}: {one['run']}, {other['run']}"),
            f"{pair['questions']:,}",
            percent(pair["same"]),
            number(pair["spearman"], "{:.3f}"),
        )
    return table


@dataclass(frozen=True)
class Dot:
    """A scorer in the chart of cost and quality: its number in the list, and its place in the box."""

    number: int
    title: str
    x: float
    y: float


@dataclass(frozen=True)
class Plane:
    """Cost per question (log scale, to the right) against AUROC (upwards), in a box of `width` x `height`."""

    width: int
    height: int
    dots: tuple[Dot, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def plane(rows: Sequence[JSONObject], width: int = 460, height: int = 220) -> Plane | None:
    """The chart of the scorers with AUROC and cost; None for fewer than two."""
    shown = [(i, row) for i, row in enumerate(rows, 1) if row["auroc"] is not None and row["seconds"]]
    if len(shown) < 2:
        return None
    costs: list[float] = [log10(row["seconds"] * 1000) for _, row in shown]
    left, right = min(costs) - 0.15, max(costs) + 0.15
    bottom: float = min(0.95, *(row["auroc"] for _, row in shown)) - 0.02
    powers = [power for power in range(-6, 9) if left <= power <= right]

    def x(cost: float) -> float:
        return round((cost - left) / (right - left) * width, 1)

    def y(value: float) -> float:
        return round((1 - value) / (1 - bottom) * height, 1)

    step = 0.1 if bottom < 0.7 else 0.05 if bottom < 0.88 else 0.01
    values = [round(1 - i * step, 2) for i in range(int((1 - bottom) / step) + 1)]
    return Plane(
        width,
        height,
        tuple(
            Dot(
                i,
                f"{i}: {row['scorer']}, AUROC {row['auroc']:.3f}, {milliseconds(row['seconds'])} ms",
                x(cost),
                y(row["auroc"]),
            )
            for (i, row), cost in zip(shown, costs, strict=True)
        ),
        tuple((x(power), f"{10.0**power:g}") for power in powers),
        tuple((y(value), f"{value:g}") for value in values),
    )


@dataclass(frozen=True)
class Matrix:
    """How far the scorers of one run agree: numbers in the list, and for each pair what is told of it."""

    run: str
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    cells: tuple[tuple[JSONObject | None, ...], ...]


def matrices(data: JSONObject) -> list[Matrix]:
    """One matrix per run with several scorers."""
    pairs = {(pair["left"], pair["right"]): pair for pair in data["agreements"]}
    found = []
    for run in dict.fromkeys(row["run"] for row in data["scorers"]):
        mine = [i for i, row in enumerate(data["scorers"]) if row["run"] == run]
        if len(mine) > 1:
            cells = tuple(tuple(pairs.get((min(i, j), max(i, j))) for j in mine) for i in mine)
            names = tuple(data["scorers"][i]["scorer"] for i in mine)
            found.append(Matrix(run, tuple(i + 1 for i in mine), names, cells))
    return found


def context(data: JSONObject) -> dict[str, Any]:
    """What the template `scorers.html.j2` needs."""
    return {
        "comparison": data,
        "several": len({row["run"] for row in data["scorers"]}) > 1,
        "plane": plane(data["scorers"]),
        "matrices": matrices(data),
        "costs_noted": any(row["seconds"] is not None for row in data["scorers"]),
    }


def write_comparison(data: JSONObject, path: Path, *, force: bool = False) -> None:
    """Write the comparison as one HTML file that needs no network.

    Args:
        force: also in the place of a file that is no page of ours.

    Raises:
        RunError: the file cannot be written, or another one is there.
    """
    from selfstudy.errors import RunError
    from selfstudy.show.page import render, write

    runs = list(dict.fromkeys(row["run"] for row in data["scorers"]))
    html = render("compare.html.j2", version=__version__, runs=runs, **context(data))
    try:
        write(path, html, force=force)
    except RunError as error:
        hint = error.hint if "--force" in error.hint else "make room, or give another file with --html"
        raise RunError(error.what, hint) from None
