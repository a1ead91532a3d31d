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

from selfstudy.files import private
from selfstudy.recipe.file import to_yaml
from selfstudy.records import Failure, Skipped, TrainingStep
from selfstudy.run import threshold
from selfstudy.show import compare, routing
from selfstudy.show.charts import SHOWN, Curve, Histogram, bar, changes, curve, histogram
from selfstudy.show.disagreements import conflict_table
from selfstudy.show.page import file, render, write
from selfstudy.show.questions import VERDICTS, Point, cut, points, trails
from selfstudy.show.sample import MAX_POINTS, Overview, overview
from selfstudy.show.suites import shown_suites
from selfstudy.show.table import TABLE, TABLE_DATA, points_data
from selfstudy.show.words import (
    cautions,
    curated,
    decision,
    headline,
    percent,
    published_figures,
    sampled,
    story,
)
from selfstudy.summary import Summary
from selfstudy.summary.model import VERIFY_SCORER

if TYPE_CHECKING:
    from selfstudy.models.base import Embedder
    from selfstudy.run import Run

SECTIONS = (
    ("result", "Result"),
    ("map", "Knowledge map"),
    ("scores", "Scores"),
    ("methods", "Ways of asking"),
    ("scorers", "Scorers"),
    ("verdicts", "Verdicts"),
    ("training", "Training"),
    ("adapters", "Adapters"),
    ("suites", "Suites"),
    ("questions", "Questions"),
    ("failures", "Failures"),
    ("recipe", "Recipe"),
)
VERDICT_NOTES = {
    "known": "sure of itself, and the evidence agrees: kept as a check against forgetting",
    "unsure": "not sure of itself, but the answer is right: its own answer is strengthened",
    "unknown": "not sure of itself, and the answer is wrong: taught",
    "misbelief": "sure of itself and wrong: taught with more weight",
    "unverifiable": "no accepted evidence: nothing is taught",
}
MAX_MESSAGES = 12
MAX_SKIPPED = 200
SCRIPTS = ("page", "colours", "map_drawing", "map", "table", "trail", "main")
"""The parts of the page's program, in order: `js/NAME.js`."""


def write_report(
    run: Run,
    summary: Summary,
    path: Path,
    embedder: Embedder | None = None,
    *,
    force: bool = False,
    most: int = MAX_POINTS,
) -> None:
    """Write the report of `run` to `path`.

    Args:
        run: any run, however far it got; opened for reading or writing.
        summary: what `selfstudy.summary.summarise` returned for it.
        path: the HTML file; its folder must exist.
        embedder: places the questions on the map; without one there is no map.
        force: also in the place of a file that is no report.
        most: of more questions a sample is drawn and listed, and the report says so (sample.py).

    Raises:
        RunError: the file cannot be written, or another one is there.
    """
    html = render("report.html.j2", script(), **_context(run, summary, embedder, most))
    own = path == run.report_file
    write(path, html, force=force or own, mode=private.FILE if own else private.SHARED)


def _context(run: Run, summary: Summary, embedder: Embedder | None, most: int) -> dict[str, Any]:
    from markupsafe import Markup

    everything = overview(run, most)
    shown = points(run, everything.shown)
    opened = trails(run, shown)
    return {
        "data": Markup(_data(run, shown, opened, embedder)),
        "summary": summary,
        "model": cut(str(summary.models.get("lm", "")), 200),
        "created": str((run.read_json(run.provenance_file) or {}).get("created", ""))[:10],
        "headline": headline(summary),
        "story": story(summary),
        "sections": _sections(summary),
        "tiles": tiles(summary),
        "changes": changes(summary),
        "cautions": cautions(summary),
        "decision": decision(summary),
        "cited_names": {name: label for name, label, _, _ in SHOWN},
        "scorer": run.recipe.probe.scorer,
        "verify_scorer": VERIFY_SCORER,
        "columns": TABLE,
        "confidence": f"{run.recipe.verify.confidence:.0%}",
        "threshold": threshold.of(run).value,
        "threshold_note": str(threshold.of(run)),
        "mapped": bool(shown) and embedder is not None,
        "has_after": any(p.after is not None for p in shown),
        "rounds": [part.number for part in run.rounds],
        "sampled": everything.note,
        "trails_shown": len(opened),
        "trails_left_out": len(shown) - len(opened),
        "histograms": _histograms(everything, run.recipe.probe.scorer),
        "verdict_bar": bar(summary.verdicts.items()),
        "verdicts_total": sum(summary.verdicts.values()),
        "verdict_notes": VERDICT_NOTES,
        "curated": curated(summary),
        **conflict_table(run, summary),
        "curves": curves(run),
        "suites": shown_suites(summary.suites),
        **routing.context(summary.routing),
        "failures": failures(run),
        "recipe": to_yaml(run.recipe),
        "versions": _versions(summary),
        "run_name": run.path.name,
        **_skipped(run),
        **(compare.context(summary.comparison) if summary.comparison else {"comparison": None}),
    }


def _sections(summary: Summary) -> list[tuple[str, str]]:
    left_out = {
        "scorers": summary.comparison is None,
        "methods": len(summary.methods) < 2,
        "suites": not summary.suites,
        "adapters": summary.routing is None or not summary.routing.adapters,
    }
    return [(key, name) for key, name in SECTIONS if not left_out.get(key)]


def _data(run: Run, shown: list[Point], opened: Mapping[int, str], embedder: Embedder | None) -> str:
    """The JSON the page's script reads: points as columns, trails by index; safe inside a script element."""
    columns = points_data(shown)
    if embedder is not None:
        from selfstudy.show.map import layout

        places = layout([p.asked.text for p in shown], embedder, run.recipe.seed)
        columns["x"], columns["y"] = (places * 1000).round().astype(int).T.tolist()
    head = json.dumps(
        {"points": columns, "columns": TABLE_DATA, "verdicts": VERDICTS, "rounds": len(run.rounds)},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    body = ",".join(f'"{index}":{row}' for index, row in opened.items())
    return script_safe(f'{head[:-1]},"trails":{{{body}}}}}')


def script() -> str:
    """The page's program: its parts share one scope, which nothing else sees."""
    parts = "\n".join(file(f"js/{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def script_safe(data: str) -> str:
    """JSON `data` such that no HTML parser sees markup in it; it stays the same JSON."""
    for char in "<>&\u2028\u2029":
        data = data.replace(char, f"\\u{ord(char):04x}")
    return data


def tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """(name, number, note) of the figures under the headline."""
    questions = summary.questions

    def share(count: int) -> str:
        return f"{percent(count / questions)} of the questions" if questions else "none yet"

    asked = f"asked in round {summary.round}" if summary.rounds > 1 else "asked"
    found = [
        ("Questions", f"{questions:,}", asked),
        (
            "Inconsistent",
            f"{summary.inconsistent:,}",
            f"{share(summary.inconsistent)}, score above threshold",
        ),
    ]
    if summary.gaps is not None:
        note = f"{share(summary.gaps)}: unsure, unknown or misbelief"
        found.append(("Gaps", f"{summary.gaps:,}", note))
    if summary.auroc is not None:
        bounds = summary.auroc_interval
        note = f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else " (too few for an interval)"
        note = f"the score finds what is truly unknown{note}"
        found.append(("AUROC", f"{summary.auroc:.3f}", note))
    if summary.slc is not None:
        parts = ", ".join(
            f"{name} {summary[name]:.2f}{sampled(summary) if name == 'curiosity' else ''}"
            for name in ("curiosity", "awareness", "brevity")
            if summary[name] is not None
        )
        found.append(("Self-learning capability", f"{summary.slc:.2f}", f"{parts}; of proposed questions"))
    if published := published_figures(summary):
        found.append(("Published", published[0], ", ".join(published[1:]) + ", as stored in the file"))
    return found


def _histograms(everything: Overview, scorer: str) -> list[Histogram]:
    """What the probe found, and what verify measured before and after: two scales, each with its scorer."""
    every = everything.found
    charts = [histogram(f"All questions, by the probe ({scorer})", every)] if every else []
    if everything.again:
        before, after = zip(*everything.again, strict=True)
        charts.append(histogram(f"Gaps asked again, before teaching ({VERIFY_SCORER})", before))
        charts.append(histogram(f"The same gaps, after teaching ({VERIFY_SCORER})", after))
    return charts


def curves(run: Run) -> list[Curve]:
    """The loss of each phase of training."""
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


def failures(run: Run) -> list[tuple[str, int, list[tuple[str, int, str]], int]]:
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


def _versions(summary: Summary) -> list[tuple[str, str]]:
    names = {
        "lm": "language model",
        "nli": "entailment model",
        "embedder": "embedder",
        "evaluator": "entailment model of verify",
    }
    models = [(names.get(k, k), cut(str(v), 200)) for k, v in summary.models.items()]
    return [
        *models,
        ("seed", str(summary.seed)),
        *((k, str(v)) for k, v in summary.versions.items()),
    ]
