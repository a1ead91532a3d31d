"""All questions of a run, 50 at a time: filtered, sorted and searched by what stands in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.show.questions import VERDICTS
from selfstudy.ui.desk import asked
from selfstudy.ui.downloads import forms, link
from selfstudy.ui.index import index_of
from selfstudy.ui.index_query import SIZE, QuestionsAsked
from selfstudy.ui.markup import render
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

EVERY = 1.0
"""Seconds after which more is shown, while it is being counted."""
KINDS: dict[str, str] = {
    "": "all",
    "gap": "gaps",
    **{name: name for name in VERDICTS},
    "none": "without a verdict",
}
CHANGES = {
    "": "all",
    "better": "wrong before, right after",
    "worse": "right before, wrong after",
    "asked": "asked again by verify",
}
ORDERS = {"": "as they were asked", "score": "least consistent first"}


def build(desk: Desk, page: gr.Blocks) -> None:
    """A table that fills while it is open."""
    listed = gr.HTML(elem_id="questions")
    timer = gr.Timer(EVERY)

    def shown(request: gr.Request) -> tuple[str, gr.Timer]:
        made, ready = html(desk, request.query_params)
        return made, gr.Timer(EVERY, active=not ready)

    page.load(shown, None, [listed, timer], show_progress="hidden")
    timer.tick(shown, None, [listed, timer], show_progress="hidden")


def html(desk: Desk, query: Mapping[str, str]) -> tuple[str, bool]:
    """The table, and whether there will be no more of it."""
    name = asked(query, "run")
    wanted = QuestionsAsked.of(query)
    try:
        run = desk.open(name)
        index = index_of(run)
        standing = index.refresh()
        page = index.page(wanted)
        rounds = [part.number for part in run.rounds][:100]
    except SelfstudyError as error:
        return render("refused", title="Questions", what=error.what, hint=error.hint), True
    given = {key: value for key, value in asdict(wanted).items() if key != "after"}
    choices = {
        "verdict": ("Verdict", KINDS),
        "change": ("Answer", CHANGES),
        "round": ("Round", {"": "all", **{str(number): str(number) for number in rounds}}),
        "order": ("Order", ORDERS),
    }
    made = render(
        "questions",
        run=name,
        standing=standing.said,
        page=page,
        asked=wanted,
        given=given,
        choices=choices,
        size=SIZE,
        files=[(form, link("table", form, run=name, **given)) for form in forms("table")],
    )
    return made, standing.ready


VIEW = View("questions", "Questions", build, alone=False)
