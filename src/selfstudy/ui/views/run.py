"""One run while it works: its state, its steps, its costs, its log; stop and go on; all that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.run import Run
from selfstudy.ui import new_run, processes
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import render
from selfstudy.ui.run_state import state_of
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

EVERY = 2.0
"""Seconds after which it is looked at anew, while the page is open."""
PAGES = (
    ("results", "run", "Results", "figures before and after, and the map of what it knows"),
    ("questions", "run", "Questions", "every question with its verdict; each leads to its whole trail"),
    ("compare", "a", "Compare", "this run beside another"),
    ("chat", "run", "Chat", "the base model and the taught one, side by side"),
    ("cited", "run", "Cited answers", "answers with the sentences marked that a source supports"),
    (
        "rate",
        "run",
        "Rate answers",
        "say how good its answers are, not knowing whose, and make pairs",
    ),
    ("publish", "run", "Publish", "the adapter with its card, as a folder that others can load"),
)
"""Other pages of a run: page, its key for the run, name, and what is there."""


def build(desk: Desk, page: gr.Blocks) -> None:
    """What is told, made anew while it is open, and two buttons."""
    name = gr.State("")
    told = gr.HTML(elem_id="run")
    with gr.Row():
        stop = gr.Button("Stop", visible=False, elem_id="stop")
        go_on = gr.Button("Go on", visible=False, variant="primary", elem_id="go-on")
    said = gr.HTML(elem_id="run-said")
    has = gr.HTML(elem_id="run-pages")
    shown = [told, stop, go_on, has]

    def load(request: gr.Request) -> list[Any]:
        name = asked(request.query_params, "run")
        return [name, *look(desk, name)]

    def stopped(name: str) -> str:
        if processes.stop(processes.place_of(desk.folder, name)):
            return render("said", what="asked to stop: what it is doing ends first, which may take a moment")
        return render("said", what="there is no process of this page to stop")

    def going_on(name: str) -> str:
        try:
            new_run.go_on(desk, name)
        except SelfstudyError as error:
            return render("said", what=error.what, hint=error.hint)
        return render("said", what="it goes on where it was")

    page.load(load, None, [name, *shown], show_progress="hidden")
    timer = gr.Timer(EVERY)
    timer.tick(lambda name: look(desk, name), name, shown, show_progress="hidden")
    stop.click(stopped, name, said).then(lambda name: look(desk, name), name, shown)
    go_on.click(going_on, name, said).then(lambda name: look(desk, name), name, shown)


def look(desk: Desk, name: str) -> list[Any]:
    """What is told of it, which buttons there are, and where else to look."""
    if not name:
        return [render("said", what="no run was named", hint="choose one of the page Runs"), *_buttons(), ""]
    try:
        state = state_of(desk, name)
    except SelfstudyError as error:
        return [render("said", what=error.what, hint=error.hint), *_buttons(), ""]
    here = name in ("", ".") or (desk.folder / name / Run.recipe_file).exists()
    return [
        render("run", one=state),
        *_buttons(state.state in ("starting", "running"), state.state in ("stopped", "failed") and here),
        render("run_pages", run=name, pages=PAGES if here else ()),
    ]


def _buttons(stop: bool = False, go_on: bool = False) -> list[Any]:
    return [gr.update(visible=stop), gr.update(visible=go_on)]


VIEW = View("run", "Run", build, alone=False)
