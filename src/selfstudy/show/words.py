"""Numbers and outcomes in plain words, the same in the terminal and in the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfstudy.records import GAPS, Settled, Verdict, VerdictKind
from selfstudy.run.threshold import is_inconsistent
from selfstudy.summary import Summary

SETTLED: dict[Settled, str] = {
    "newer": "decided by the later date",
    "supported": "decided by more independent sources",
    "unresolved": "unresolved, and not taught",
}
ARMS: dict[str, str] = {
    "original": "before round 1",
    "base": "before",
    "taught": "after",
    "weaker": "after, weaker",
    "control": "control",
}
"""Who was asked by verify, in the order in which their answers are told."""
RIGHT: dict[bool | None, str] = {True: "right", False: "wrong", None: "not judged"}
VERDICT_MEANS: dict[VerdictKind, str] = {
    "known": "it knows this, and is not taught it",
    "unsure": "it can answer, but not reliably",
    "unknown": "it does not know this",
    "misbelief": "it is sure of something wrong",
    "unverifiable": "nobody can tell here whether it is right",
}
WRONG: tuple[VerdictKind, ...] = ("unknown", "misbelief")
"""Verdicts of answers that the evidence contradicts."""


def percent(value: float | None) -> str:
    """0.0834 -> "8.3%"; a dash where there is no number."""
    return "–" if value is None else f"{value:.1%}"


def points_of_percent(difference: float) -> str:
    """0.889 -> "+88.9"; always signed, in percentage points."""
    return f"{difference * 100:+.1f}".replace("-", "−")


def sampled(summary: Summary) -> str:
    """What is said behind the curiosity of a sample of the questions; empty where it is that of all."""
    return "" if summary.curiosity_of is None else f" (of a sample of {summary.curiosity_of:,})"


def published_figures(summary: Summary) -> list[str]:
    """The metrics that an imported result file gives, SLC first; empty where there are none."""
    found = summary.published or {}
    names = ("slc", "curiosity", "awareness", "brevity")
    return [f"{'SLC' if n == 'slc' else n} {found[n]:.3f}" for n in names if n in found]


def cautions(summary: Summary) -> list[str]:
    """What a reader must know of the figures beside their values, a sentence each."""
    found = list(summary.notes)
    mixed = {
        how
        for arm in ("before", "after")
        for detail in summary.details[arm].values()
        for how, count in detail.judged_by.items()
        if count and how != "page"
    }
    if len(mixed) > 1:
        counts = summary.details.after.get("gap_correct") or summary.details.before["gap_correct"]
        told = ", ".join(f"{n:,} against the {how}" for how, n in sorted(counts.judged_by.items()))
        found.append(
            "Answers were judged in two ways, by the accepted answers of the key where it has the question "
            f"and by the reference elsewhere ({told}, of the gaps): the shares mix both."
        )
    if summary.known_trained is not None:
        found.append(
            f"Of the facts that questions held out of training ask about, {percent(summary.known_trained)} "
            "stand in something that was trained on."
        )
    return found


def curated(summary: Summary) -> list[str]:
    """What the references rest on, a sentence each; empty where nothing was counted."""
    found = summary.curation
    told = []
    if total := sum(found.conflicts.values()):
        parts = ", ".join(f"{count:,} {SETTLED[name]}" for name, count in sorted(found.conflicts.items()))
        told.append(f"Sources disagree about {counted(total, 'question')}: {parts}.")
    if found.one_source or found.more_sources:
        told.append(
            f"Of the references {found.one_source:,} rest on one source only, {found.more_sources:,} on "
            "several independent ones."
        )
    if found.by_teacher:
        told.append(
            f"{counted(found.by_teacher, 'reference')} came from the stronger model, without any evidence."
        )
    if found.stale:
        told.append(f"{counted(found.stale, 'document')} found for a question: too old to be evidence.")
    if found.excluded:
        told.append(f"{counted(found.excluded, 'document')} found for a question: excluded from evidence.")
    if found.labels.get("partly"):
        told.append(
            f"The judge called {counted(found.labels['partly'], 'answer')} partly right: they count as wrong."
        )
    return told


def counted(number: int, noun: str) -> str:
    """1 -> "1 question", 1200 -> "1,200 questions"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def why_verdict(verdict: Verdict, threshold: float) -> str:
    """A sentence or two: why a question has its verdict.

    Args:
        threshold: the score, in [0, 1], above which a question is inconsistent.
    """
    if verdict.score is None:
        steady = "Its answers could not be scored"
    elif is_inconsistent(verdict.score, threshold):
        steady = (
            f"Asked again, the model contradicts itself (score {verdict.score:.2f}, above {threshold:.2f})"
        )
    else:
        steady = (
            f"Asked again, the model says the same (score {verdict.score:.2f}, not above {threshold:.2f})"
        )
    if verdict.agrees is None:
        rest = "there is no accepted answer from evidence to compare with"
    elif verdict.agrees:
        rest = "its answer says what the evidence says"
    else:
        rest = "its answer does not say what the evidence says"
    told = f"{steady}, and {rest}: {VERDICT_MEANS[verdict.kind]}."
    return f"{told} {verdict.reason}" if verdict.reason else told


def decision(summary: Summary) -> str:
    """What the gate decided, in two or three words; empty where it has not."""
    if summary.promoted is None:
        return ""
    if summary.verdict == "cannot tell":
        return "cannot tell, not promoted"
    return "promoted" if summary.promoted else "not promoted"


def auroc_with_interval(row: Mapping[str, Any]) -> str:
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


def headline(summary: Summary) -> str:
    """One sentence: what happened, as far as the run got."""
    questions, inconsistent = summary.questions, summary.inconsistent
    if not questions:
        return "Nothing has been asked yet."
    before, after = summary.before.gap_correct, summary.after.gap_correct
    if before is not None and after is not None:
        verb = "rose" if after > before else "fell" if after < before else "stayed"
        change = f"from {percent(before)} to {percent(after)}" if verb != "stayed" else f"at {percent(after)}"
        start = f"In round {summary.round}, correct" if summary.rounds > 1 else "Correct"
        gain = summary.gains.get("gap")
        doubt = gain is not None and verb != "stayed" and gain.within_noise(summary.confidence)
        caution = "; it may be no change at all" if doubt else ""
        return f"{start} answers to what the model did not know {verb} {change}{caution}."
    if summary.unscored == questions:
        return f"{questions:,} questions, and no answer to them has been scored."
    if not inconsistent:
        how = "consistently" if summary.samples_drawn else "and was sure of its answers"
        return f"The model answered all {questions:,} questions {how}."
    asked = f"The model was asked {questions:,} questions"
    if not summary.samples_drawn:
        return f"{asked} and is not sure of its answers to {inconsistent:,} of them."
    return f"{asked} and cannot answer {inconsistent:,} of them consistently."


def story(summary: Summary) -> str:
    """What happened, in a few plain sentences, as far as the run got."""
    questions = summary.questions
    if not questions or summary.unscored == questions:
        return ""
    how = "several times each and was inconsistent on" if summary.samples_drawn else "and was not sure of"
    told = [f"The model answered {questions:,} questions {how} {summary.inconsistent:,} of them."]
    taught = sum(summary.verdicts.get(kind, 0) for kind in GAPS)
    if sum(summary.verdicts.values()):
        wrong = sum(summary.verdicts.get(kind, 0) for kind in WRONG)
        told.append(
            f"With the evidence, {taught:,} are gaps: {wrong:,} answers are wrong, and it shows what is "
            "right instead."
        )
    changed = [
        f"{what} went from {form(summary.before[name])} to {form(summary.after[name])}"
        for name, what, form in (
            ("gap_hallucination", "the hallucination score on gaps", "{:.2f}".format),
            ("known_correct", "correct answers to what it already knew", percent),
            ("general_correct", "correct answers to general questions", percent),
            ("trust_score", "the Trust-Score of answers with documents", "{:.2f}".format),
            ("refusal_f1", "the refusal F1", "{:.2f}".format),
        )
        if summary.before[name] is not None and summary.after[name] is not None
    ]
    if changed:
        told.append(f"After teaching, {', and '.join(changed)}.")
    return " ".join(told)
