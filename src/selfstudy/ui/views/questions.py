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
    """A form, and a table that fills while it is open; what is typed into the form meanwhile stays."""
    asking = gr.HTML(elem_id="questions-form")
    listed = gr.HTML(elem_id="questions")
    timer = gr.Timer(EVERY)

    def load(request: gr.Request) -> tuple[str, str, gr.Timer]:
        return form(desk, request.query_params), *shown(request)

    def shown(request: gr.Request) -> tuple[str, gr.Timer]:
        made, ready = html(desk, request.query_params)
        return made, gr.Timer(EVERY, active=not ready)

    page.load(load, None, [asking, listed, timer], show_progress="hidden")
    timer.tick(shown, None, [listed, timer], show_progress="hidden")


def form(desk: Desk, query: Mapping[str, str]) -> str:
    """What can be asked for; "" where there is no such run, which the table tells."""
    name, wanted = asked(query, "run"), QuestionsAsked.of(query)
    try:
        rounds = [part.number for part in desk.open(name).rounds][:100]
    except SelfstudyError:
        return ""
    choices = {
        "verdict": ("Verdict", KINDS),
        "change": ("Answer", CHANGES),
        "round": ("Round", {"": "all", **{str(number): str(number) for number in rounds}}),
        "order": ("Order", ORDERS),
    }
    return render("questions_form", run=name, given=asdict(wanted), choices=choices)


def html(desk: Desk, query: Mapping[str, str]) -> tuple[str, bool]:
    """The table, and whether there will be no more of it."""
    name = asked(query, "run")
    wanted = QuestionsAsked.of(query)
    try:
        run = desk.open(name)
        index = index_of(run)
        standing = index.refresh()
        page = index.page(wanted)
    except SelfstudyError as error:
        return render("refused", title="Questions", what=error.what, hint=error.hint), True
    given = {key: value for key, value in asdict(wanted).items() if key != "after"}
    made = render(
        "questions",
        run=name,
        standing=standing.said,
        page=page,
        asked=wanted,
        given=given,
        size=SIZE,
        files=[(form, link("table", form, run=name, **given)) for form in forms("table")],
    )
    return made, standing.ready


VIEW = View("questions", "Questions", build, alone=False)
