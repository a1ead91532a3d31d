"""Suites before and after, as rows of texts: the same for the report, the terminal and the verb suite.

Knows the results of a summary; nothing of where they come from, HTML or terminals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selfstudy.summary import SuiteFigure, SuiteResult


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """One figure; empty texts where nothing was measured; `judged`: more of it, or less, is better."""

    name: str
    note: str
    main: bool
    judged: bool
    before: str
    before_interval: str
    after: str
    after_interval: str
    difference: str
    interval: str
    word: str
    n: str
    left_out: str


@dataclass(frozen=True, slots=True)
class ShownSuite:
    """One suite.

    Attributes:
        both: whether two models were asked.
        decides: what the gate asks of it; "": nothing.
        trouble: what failed; "": nothing did.
    """

    name: str
    both: bool
    figures: tuple[ShownFigure, ...]
    decides: str
    notes: tuple[str, ...]
    trouble: str


def shown_suites(results: Mapping[str, SuiteResult]) -> list[ShownSuite]:
    """All of them, in their order."""
    return [shown_suite(name, one) for name, one in results.items()]


def shown_suite(name: str, result: SuiteResult) -> ShownSuite:
    """One suite with its figures."""
    main = result.main
    decides = ""
    if result.margin is not None and main is not None:
        decides = f"Promotion asks that {main[0]} gets worse by at most {result.margin:.3g}"
    return ShownSuite(
        name=name,
        both=result.asked_after > 0,
        figures=tuple(_shown(figure, one, result.asked_after > 0) for figure, one in result.figures.items()),
        decides=decides,
        notes=result.notes,
        trouble=_trouble(result),
    )


def _shown(name: str, one: SuiteFigure, both: bool) -> ShownFigure:
    compared = one.difference is not None
    return ShownFigure(
        name=name,
        note=one.explanation,
        main=one.main,
        judged=one.better != "neither",
        before=number(one.before),
        before_interval=between(one.before_interval),
        after=number(one.after),
        after_interval=between(one.after_interval),
        difference=signed(one.difference) if one.difference is not None else "",
        interval=f"{signed(one.low)} to {signed(one.high)}" if compared else "",
        word=one.word,
        n=f"{one.n:,}",
        left_out=_left_out(one, both),
    )


def _left_out(one: SuiteFigure, both: bool) -> str:
    """Items that are in no figure: by arm where that differs."""
    said = []
    for word, before, after in (
        ("failed", one.failed_before, one.failed_after),
        ("missing", one.missing_before, one.missing_after),
    ):
        if before or after:
            differ = both and after != before
            said.append(f"{before:,} and {after:,} {word}" if differ else f"{before:,} {word}")
    return ", ".join(said)


def _trouble(result: SuiteResult) -> str:
    if result.unmeasured:
        return f"not measured: {result.unmeasured}"
    failed, of = max((result.failed_before, result.asked_before), (result.failed_after, result.asked_after))
    return f"{failed:,} of {of:,} items failed, most of them like this: {result.error}" if failed else ""


def number(value: float | None) -> str:
    """A figure in its own unit; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


def signed(value: float | None) -> str:
    """A difference."""
    if value is None:
        return "–"
    return (f"{value:+.3f}" if abs(value) < 1000 else f"{value:+.4g}").replace("-", "−")


def between(ends: tuple[float, float] | None) -> str:
    """An interval."""
    return "" if ends is None else f"{number(ends[0])} to {number(ends[1])}"
