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


def sampled(summary: Mapping[str, Any]) -> str:
    """What is said behind the curiosity of a sample of the questions; empty where it is that of all."""
    of = summary.get("curiosity_of")
    return "" if of is None else f" (of a sample of {of:,})"


def published_figures(summary: Mapping[str, Any]) -> list[str]:
    """The metrics that an imported result file gives, SLC first; empty where there are none."""
    found = summary.get("published") or {}
    names = ("slc", "curiosity", "awareness", "brevity")
    return [f"{'SLC' if n == 'slc' else n} {found[n]:.3f}" for n in names if found.get(n) is not None]


def auroc(row: Mapping[str, Any]) -> str:
    """`auroc` of `row` with its `interval`, or a dash where it was not measured."""
    if row["auroc"] is None:
        return "–"
    if row["interval"] is None:  # too few of a kind
        return f"{row['auroc']:.3f}"
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
        several = summary.get("rounds", 1) > 1
        start = f"In round {summary['round']}, correct" if several else "Correct"
        return f"{start} answers to what the model did not know {verb} {change}."
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
    changed = [
        f"{what} went from {form(before[name])} to {form(after[name])}"
        for name, what, form in (
            ("gap_hallucination", "the hallucination score on gaps", "{:.2f}".format),
            ("known_correct", "correct answers to what it already knew", percent),
        )
        if before.get(name) is not None and after.get(name) is not None
    ]
    if changed:
        told.append(f"After teaching, {', and '.join(changed)}.")
    return " ".join(told)
