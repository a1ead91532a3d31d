"""The report: one HTML file that shows what a run found, taught and proved, and opens without a network.

Everything that came out of a model or a file is text to be shown, never markup: the template escapes it,
the embedded JSON cannot leave its script element, and the page's script writes text nodes only.
It reads a run's records and its summary; it computes no metric of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.recipe.file import to_yaml
from selfstudy.records import Failure, Skipped, TrainingStep
from selfstudy.run import threshold
from selfstudy.show import compare
from selfstudy.show.charts import Curve, Histogram, changes, curve, histogram
from selfstudy.show.page import file, template, write
from selfstudy.show.questions import MAX_POINTS, VERDICTS, Point, cut, most_telling, points, trails
from selfstudy.show.words import (
    headline,
    percent,
    published_figures,
    sampled,
    story,
)

if TYPE_CHECKING:
    from selfstudy.models.base import Embedder
    from selfstudy.run import Run

SECTIONS = (
    ("result", "Result"),
    ("map", "Knowledge map"),
    ("scores", "Scores"),
    ("scorers", "Scorers"),
    ("verdicts", "Verdicts"),
    ("training", "Training"),
    ("questions", "Questions"),
    ("failures", "Failures"),
    ("recipe", "Recipe"),
)
VERDICT_NOTES = {
    "known": "samples agree, and so does the evidence: kept as a check against forgetting",
    "unsure": "samples disagree, but the answer is right: its own answer is strengthened",
    "unknown": "samples disagree and the answer is wrong: taught",
    "misbelief": "sure of itself and wrong: taught with more weight",
    "unverifiable": "no accepted evidence: nothing is taught",
}
MAX_MESSAGES = 12
MAX_SKIPPED = 200
MAX_QUESTION = 160


def write_report(run: Run, summary: dict[str, Any], path: Path, embedder: Embedder | None = None) -> None:
    """Write the report of `run` to `path`.

    Args:
        run: any run, however far it got; opened for reading or writing.
        summary: what `selfstudy.summary.summarise` returned for it.
        path: the HTML file; its folder must exist.
        embedder: places the questions on the map; without one there is no map.

    Raises:
        RunError: the file cannot be written.
    """
    html = template("report.html.j2").render(_context(run, summary, embedder))
    write(path, html)


def _context(run: Run, summary: dict[str, Any], embedder: Embedder | None) -> dict[str, Any]:
    from markupsafe import Markup

    found = points(run)
    shown = most_telling(found, MAX_POINTS)
    opened = trails(run, shown)
    return {
        "css": Markup(file("report.css")),
        "js": Markup(file("report.js")),
        "data": Markup(_data(run, shown, opened, embedder)),
        "summary": summary,
        "model": cut(str((summary.get("models") or {}).get("lm", "")), 200),
        "created": str((run.read_json(run.provenance_file) or {}).get("created", ""))[:10],
        "headline": headline(summary),
        "story": story(summary),
        "sections": [(key, name) for key, name in SECTIONS if key != "scorers" or summary.get("comparison")],
        "tiles": _tiles(summary),
        "changes": changes(summary),
        "confidence": f"{run.recipe.verify.confidence:.0%}",
        "threshold": threshold.of(run).value,
        "threshold_note": str(threshold.of(run)),
        "mapped": bool(shown) and embedder is not None,
        "has_after": any(p.after is not None for p in shown),
        "rounds": [part.number for part in run.rounds],
        "points_left_out": len(found) - len(shown),
        "trails_shown": len(opened),
        "trails_left_out": len(shown) - len(opened),
        "histograms": _histograms(found),
        "verdicts_total": sum((summary.get("verdicts") or {}).values()),
        "verdict_notes": VERDICT_NOTES,
        "curves": _curves(run),
        "failures": _failures(run),
        "recipe": to_yaml(run.recipe),
        "versions": _versions(summary),
        "run_name": run.path.name,
        **_skipped(run),
        **(compare.context(summary["comparison"]) if summary.get("comparison") else {"comparison": None}),
    }


def _data(run: Run, shown: list[Point], opened: Mapping[int, str], embedder: Embedder | None) -> str:
    """The JSON the page's script reads: points as columns, trails by index; safe inside a script element."""
    columns: dict[str, Any] = {
        "question": [cut(p.question, MAX_QUESTION) for p in shown],
        "id": "".join(f"{p.id:16.16}" for p in shown),
        "round": [p.round for p in shown],
        "before": [_percent(p.before) for p in shown],
        "after": [_percent(p.after) for p in shown],
        "verdict": "".join("-" if p.verdict is None else str(VERDICTS.index(p.verdict)) for p in shown),
        "gap": "".join("1" if p.gap else "0" for p in shown),
        "correct_before": "".join(_flag(p.correct_before) for p in shown),
        "correct_after": "".join(_flag(p.correct_after) for p in shown),
    }
    if embedder is not None:
        from selfstudy.show.map import layout

        places = layout([p.question for p in shown], embedder, run.recipe.seed)
        columns["x"], columns["y"] = (places * 1000).round().astype(int).T.tolist()
    head = json.dumps(
        {"points": columns, "verdicts": VERDICTS, "rounds": len(run.rounds)},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    body = ",".join(f'"{index}":{row}' for index, row in opened.items())
    return script_safe(f'{head[:-1]},"trails":{{{body}}}}}')


def script_safe(data: str) -> str:
    """JSON `data` such that no HTML parser sees markup in it; it stays the same JSON."""
    for char in "<>&\u2028\u2029":
        data = data.replace(char, f"\\u{ord(char):04x}")
    return data


def _percent(value: float | None) -> int:
    return -1 if value is None else round(value * 100)


def _flag(value: bool | None) -> str:
    return "-" if value is None else "1" if value else "0"


def _tiles(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, number, note) of the figures under the headline."""
    questions, gaps = summary.get("questions") or 0, summary.get("gaps") or 0
    tiles = [
        (
            "Questions",
            f"{questions:,}",
            f"asked in round {summary['round']}" if summary["rounds"] > 1 else "asked",
        ),
        ("Gaps", f"{gaps:,}", f"{percent(gaps / questions)} of the questions" if questions else "none yet"),
    ]
    if summary.get("auroc") is not None:
        bounds = summary["auroc_interval"]
        note = f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else " (too few for an interval)"
        tiles.append(("AUROC", f"{summary['auroc']:.3f}", f"the score finds what is truly unknown{note}"))
    if summary.get("slc") is not None:
        parts = ", ".join(
            f"{name} {summary[name]:.2f}{sampled(summary) if name == 'curiosity' else ''}"
            for name in ("curiosity", "awareness", "brevity")
            if summary.get(name) is not None
        )
        tiles.append(("Self-learning capability", f"{summary['slc']:.2f}", parts))
    if published := published_figures(summary):
        tiles.append(("Published", published[0], ", ".join(published[1:]) + ", as stored in the file"))
    return tiles


def _histograms(found: list[Point]) -> list[Histogram]:
    every = [p.before for p in found if p.before is not None]
    asked_again = [p for p in found if p.gap and p.before is not None and p.after is not None]
    charts = [histogram("All questions, before", every)] if every else []
    if asked_again:
        charts.append(
            histogram("Gaps asked again, before", [p.before for p in asked_again if p.before is not None])
        )
        charts.append(
            histogram("The same gaps, after", [p.after for p in asked_again if p.after is not None])
        )
    return charts


def _curves(run: Run) -> list[Curve]:
    phases: dict[tuple[int, str], dict[str, list[tuple[int, float]]]] = {}
    for part in run.rounds:
        for step in part.iter(TrainingStep):
            arms = phases.setdefault((part.number, step.phase), {})
            arms.setdefault(step.arm, []).append((step.step, step.loss))
    several = len({number for number, _ in phases}) > 1
    return [
        curve(cut(f"round {number}: {phase}" if several else phase, 80), arms)
        for (number, phase), arms in phases.items()
    ]


def _failures(run: Run) -> list[tuple[str, int, list[tuple[str, int, str]], int]]:
    """(stage, failures, [(message, times, id of the first)], messages left out) per stage, in order."""
    messages: dict[str, Counter[str]] = {}
    first: dict[tuple[str, str], str] = {}
    for failure in (f for part in run.rounds for f in part.iter(Failure)):
        message = cut(failure.message, 400)
        messages.setdefault(failure.stage, Counter())[message] += 1
        first.setdefault((failure.stage, message), cut(failure.item_id, 120))
    return [
        (
            stage,
            counted.total(),
            [(m, times, first[stage, m]) for m, times in counted.most_common(MAX_MESSAGES)],
            max(0, len(counted) - MAX_MESSAGES),
        )
        for stage, counted in messages.items()
    ]


def _skipped(run: Run) -> dict[str, Any]:
    shown: list[dict[str, str]] = []
    seen: set[str] = set()
    for item in (s for part in run.rounds for s in part.iter(Skipped)):
        if item.id not in seen:
            seen.add(item.id)
            if len(shown) < MAX_SKIPPED:
                shown.append({"source": cut(item.source, 300), "reason": cut(item.reason, 300)})
    return {"skipped": shown, "skipped_total": len(seen)}


def _versions(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {"lm": "language model", "nli": "entailment model", "embedder": "embedder"}
    models = [(names.get(k, k), cut(str(v), 200)) for k, v in (summary.get("models") or {}).items()]
    return [
        *models,
        ("seed", str(summary.get("seed"))),
        *((k, str(v)) for k, v in (summary.get("versions") or {}).items()),
    ]
