"""What came of a run: figures before and after, the decision, verdicts, map, training, failures, files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.records import VerdictKind
from selfstudy.show.charts import Change, changes
from selfstudy.show.questions import VERDICTS
from selfstudy.show.report import VERDICT_NOTES, curves, failures, tiles
from selfstudy.show.words import cautions, decision, headline, percent, points_of_percent, story
from selfstudy.summary import Summary
from selfstudy.ui.desk import asked
from selfstudy.ui.downloads import FILES, NOTES, forms, link
from selfstudy.ui.index import index_of
from selfstudy.ui.markup import render
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

EVERY = 1.0
SIDE = 400
"""Units of the map's side."""
_WORDS = {
    "better": "it is better, by more than chance explains",
    "worse": "it is worse, by more than chance explains",
    "unchanged": "nothing changed",
    "within noise": "it may be no change at all",
}
_UNTESTED = "no interval says whether chance alone explains it"
_SHAPES: dict[VerdictKind | str, str] = {
    "known": "M{x} {y}m-2 0h4m-2 -2v4",
    "unsure": "M{x} {y}m-2 -2h4v4h-4z",
    "unknown": "M{x} {y}m0 -3l3 5h-6z",
    "misbelief": "M{x} {y}m-2.5 -2.5l5 5m0 -5l-5 5",
    "unverifiable": "M{x} {y}m-2 0h4",
    "": "M{x} {y}m-1 0h2",
}
"""How each verdict is drawn: colour is not all that tells them apart."""


def build(desk: Desk, page: gr.Blocks) -> None:
    """Figures, made anew while questions are being counted."""
    shown = gr.HTML(elem_id="results")
    timer = gr.Timer(EVERY)

    def made(request: gr.Request) -> tuple[str, gr.Timer]:
        told, done = html(desk, asked(request.query_params, "run"))
        return told, gr.Timer(EVERY, active=not done)

    page.load(made, None, [shown, timer], show_progress="hidden")
    timer.tick(made, None, [shown, timer], show_progress="hidden")


def html(desk: Desk, name: str) -> tuple[str, bool]:
    """The page, and whether there will be no more of it."""
    try:
        run = desk.open(name)
        summary = run.read_as(run.summary_file, Summary)
        index = index_of(run)
        standing = index.refresh(drawn=True)
        counts = index.verdicts()
        lost = failures(run)
        trained = curves(run)
    except SelfstudyError as error:
        return render("refused", title="Results", what=error.what, hint=error.hint), True
    told = render(
        "results",
        run=name,
        summary=summary,
        headline=headline(summary) if summary else "",
        story=story(summary) if summary else "",
        decision=decision(summary) if summary else "",
        cautions=cautions(summary) if summary else [],
        tiles=tiles(summary) if summary else [],
        changes=[(one, sentence(one, summary.confidence)) for one in changes(summary)] if summary else [],
        standing=standing,
        counts=counts,
        total=sum(counts.values()) or 1,
        notes=VERDICT_NOTES,
        drawn=drawn(index.points()),
        side=SIDE,
        shapes={kind: shape.format(x=6, y=6) for kind, shape in _SHAPES.items()},
        curves=trained,
        failures=lost,
        tables=[
            (what, note, [(form, link(what, form, run=name)) for form in forms(what)])
            for what, note in NOTES.items()
        ],
        files=[(file, link(*file.split("."), run=name)) for file in FILES],
    )
    return told, not standing.busy


def sentence(one: Change, confidence: float) -> str:
    """A figure in words: what it was, what it is, and whether that means anything."""

    def side(value: float | None, interval: tuple[float, float] | None) -> str:
        if value is None:
            return "not measured"
        if interval is None:
            return percent(value)
        low, high = map(percent, interval)
        return f"{percent(value)} ({confidence:.0%} interval {low} to {high})"

    said = f"Before teaching {side(one.before, one.before_interval)}"
    said += f", after {side(one.after, one.after_interval)}"
    if one.difference is not None:
        tested = one.noise is not None or None not in (one.before_interval, one.after_interval)
        meant = _WORDS[one.word] if tested or one.word == "unchanged" else _UNTESTED
        said += f"; a change of {points_of_percent(one.difference)} points: {meant}"
    if one.count:
        said += f". Measured on {one.count:,} answers that verify checked"
    if one.control_difference is not None:
        said += f". Training on random pairs brings {points_of_percent(one.control_difference)}"
    return f"{said}."


def drawn(points: Iterable[tuple[float, float, str]]) -> list[tuple[str, int, str]]:
    """(verdict, how many, path) of the map: a path for each verdict, in a square of `SIDE`."""
    places: dict[str, list[str]] = {}
    for x, y, kind in points:
        shape = _SHAPES.get(kind, _SHAPES[""])
        places.setdefault(kind, []).append(shape.format(x=round(x * SIDE), y=round(y * SIDE)))
    return [(kind, len(places[kind]), "".join(places[kind])) for kind in (*VERDICTS, "") if kind in places]


VIEW = View("results", "Results", build, alone=False)
