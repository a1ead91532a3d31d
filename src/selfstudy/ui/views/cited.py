"""Cited answers: each sentence marked by whether a source supports it, and the numbered documents below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from selfstudy.errors import DataError, SelfstudyError
from selfstudy.text import clean
from selfstudy.ui.cited_answers import CitedText, files_of, of_file, of_run
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import problem, render
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

MOST = 50
"""Answers in the page."""
_STATE = """(run, file) => { const at = new URL(window.location.href);
at.searchParams.set("file", file || ""); window.history.replaceState({}, "", at); return [run, file]; }"""

_FOLLOW = """element.addEventListener("click", (event) => {
const link = event.target.closest("a.within"); if (!link) return;
const to = document.getElementById(link.hash.slice(1)); if (!to) return;
event.preventDefault(); to.scrollIntoView({block: "nearest"}); to.focus(); });"""
"""A page of gradio's has another base address than its own, so that links within it would leave it."""


def build(desk: Desk, page: gr.Blocks) -> None:
    """A list of files, and the answers of the chosen one, or of the run that the address names."""
    gr.HTML("<h1>Cited answers</h1>")
    run = gr.State("")
    chosen = gr.Dropdown(
        [],
        label="File of cited answers (the run's own without one)",
        elem_id="cited-file",
        allow_custom_value=True,
    )
    shown = gr.HTML(elem_id="cited", js_on_load=_FOLLOW)

    def load(request: gr.Request) -> tuple[str, Any, str]:
        name, file = asked(request.query_params, "run"), asked(request.query_params, "file")
        box = gr.Dropdown(choices=[("", ""), *((one, one) for one in map(clean, files_of(desk)))], value=file)
        return name, box, html(desk, name, file)

    page.load(load, None, [run, chosen, shown], show_progress="hidden")
    chosen.input(
        lambda name, file: html(desk, name, file or ""),
        [run, chosen],
        shown,
        js=_STATE,
        show_progress="hidden",
    )


def html(desk: Desk, run: str, file: str) -> str:
    """The answers of a file, or of the run; an error is a sentence."""
    try:
        found = _found(desk, run, file)
    except SelfstudyError as error:
        return render("cited", run=run, file=file, problem=problem(error), found=(), most=MOST)
    return render("cited", run=run, file=file, problem="", found=found, most=MOST)


def _found(desk: Desk, run: str, file: str) -> list[CitedText]:
    if not run and not file:
        return []
    names = files_of(desk)
    paths = [desk.folder / name for name in names]
    if file:
        if file not in names:
            raise DataError(f"there is no file of cited answers {file!r} here", "choose one of the list")
        return of_file(desk.folder / file, paths, MOST)
    with desk.open(run) as opened:
        return of_run(opened, paths, MOST)


VIEW = View("cited", "Cited answers", build)
