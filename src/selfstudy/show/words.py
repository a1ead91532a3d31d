"""Numbers and outcomes in plain words, the same in the terminal and in the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def percent(value: float | None) -> str:
    """0.0834 -> "8.3%"; a dash where there is no number."""
    return "–" if value is None else f"{value:.1%}"


def points_of_percent(difference: float) -> str:
    """0.889 -> "+88.9"; always signed, in percentage points."""
    return f"{difference * 100:+.1f}".replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds as "42 s", "3 min 12 s" or "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def published_figures(summary: Mapping[str, Any]) -> list[str]:
    """The metrics that an imported result file gives, SLC first; empty where there are none."""
    found = summary.get("published") or {}
    names = ("slc", "curiosity", "awareness", "brevity")
    return [f"{'SLC' if n == 'slc' else n} {found[n]:.3f}" for n in names if found.get(n) is not None]


def auroc(row: Mapping[str, Any]) -> str:
    """`auroc` of `row` with its `interval`, or a dash where it was not measured."""
    if row["auroc"] is None:
        return "–"
    low, high = row["interval"]
    return f"{row['auroc']:.3f} ({low:.3f} to {high:.3f})"


def number(value: float | None, form: str) -> str:
    """`value` in that form; a dash where there is none."""
    return "–" if value is None else form.format(value)


def milliseconds(seconds: float | None) -> str:
    """Seconds as milliseconds with two figures or more; a dash where there are none."""
    return (
        "–" if seconds is None else f"{seconds * 1000:,.0f}" if seconds >= 0.01 else f"{seconds * 1000:.2g}"
    )


def headline(summary: Mapping[str, Any]) -> str:
    """One sentence: what happened, as far as the run got."""
    questions, gaps = summary.get("questions") or 0, summary.get("gaps") or 0
    if not questions:
        return "Nothing has been asked yet."
    before = (summary.get("before") or {}).get("gap_correct")
    after = (summary.get("after") or {}).get("gap_correct")
    if before is not None and after is not None:
        verb = "rose" if after > before else "fell" if after < before else "stayed"
        change = f"from {percent(before)} to {percent(after)}" if verb != "stayed" else f"at {percent(after)}"
        return f"Correct answers to what the model did not know {verb} {change}."
    if summary.get("unscored") == questions:
        return f"{questions:,} questions, and no answer to them has been scored."
    if not gaps:
        return f"The model answered all {questions:,} questions consistently: no gaps were found."
    return f"The model was asked {questions:,} questions and cannot answer {gaps:,} of them consistently."


def story(summary: Mapping[str, Any]) -> str:
    """What happened, in a few plain sentences, as far as the run got."""
    questions, gaps = summary.get("questions") or 0, summary.get("gaps") or 0
    if not questions or summary.get("unscored") == questions:
        return ""
    told = [
        f"The model answered {questions:,} questions several times each and contradicted itself on {gaps:,} "
        "of them: its gaps."
    ]
    verdicts = summary.get("verdicts") or {}
    taught = sum(verdicts.get(kind, 0) for kind in ("unknown", "misbelief"))
    if sum(verdicts.values()):
        told.append(f"The evidence shows {taught:,} answers to be wrong and what is right instead.")
    before, after = summary.get("before") or {}, summary.get("after") or {}
    if before.get("gap_hallucination") is not None and after.get("gap_hallucination") is not None:
        told.append(
            "After teaching, the hallucination score on gaps went from "
            f"{before['gap_hallucination']:.2f} to {after['gap_hallucination']:.2f}"
            + _known(before.get("known_correct"), after.get("known_correct"))
        )
    elif after.get("known_correct") is not None and before.get("known_correct") is not None:
        told.append("After teaching" + _known(before["known_correct"], after["known_correct"]).lstrip(","))
    return " ".join(told)


def _known(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "."
    return f", and correct answers to what it already knew went from {percent(before)} to {percent(after)}."
