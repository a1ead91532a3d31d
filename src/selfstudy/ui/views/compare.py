"""Two runs side by side, chosen from lists: what differs, and what of it may not be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.show.words import RIGHT, decision
from selfstudy.text import clean
from selfstudy.ui.comparing import Compared, compared
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import problem, render
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

MOST_RUNS = 500
"""That can be chosen."""
_STATE = """(a, b) => { const at = new URL(window.location.href);
at.searchParams.set("a", a || ""); at.searchParams.set("b", b || "");
window.history.replaceState({}, "", at); return [a, b]; }"""
"""What is chosen stands in the address: a reload, or who is given it, sees the same."""


def build(desk: Desk, page: gr.Blocks) -> None:
    """Two lists of runs, and what differs between the chosen ones."""
    gr.HTML("<h1>Two runs side by side</h1>")
    with gr.Row():
        first = gr.Dropdown([], label="First run", elem_id="compare-a", allow_custom_value=True)
        second = gr.Dropdown([], label="Second run", elem_id="compare-b", allow_custom_value=True)
    shown = gr.HTML(elem_id="compared")

    def load(request: gr.Request) -> tuple[Any, Any, str]:
        a, b = (asked(request.query_params, name) for name in "ab")
        names = [clean(name) for name in desk.run_names()[:MOST_RUNS]]
        lists = [gr.Dropdown(choices=names, value=name or None) for name in (a, b)]
        return lists[0], lists[1], html(desk, a, b)

    page.load(load, None, [first, second, shown], show_progress="hidden")
    for box in (first, second):
        box.input(
            lambda a, b: html(desk, a or "", b or ""),
            [first, second],
            shown,
            js=_STATE,
            show_progress="hidden",
        )


def html(desk: Desk, left: str, right: str) -> str:
    """What differs between two runs; an error is a sentence."""
    if not left or not right:
        return _page(left, right, "Choose two runs.", None)
    try:
        with desk.open(left) as one, desk.open(right) as other:
            return _page(left, right, "", compared(one, other))
    except SelfstudyError as error:
        return _page(left, right, problem(error), None)


def _page(left: str, right: str, said: str, found: Compared | None) -> str:
    return render("compare_runs", a=left, b=right, problem=said, found=found, decision=decision, right=RIGHT)


VIEW = View("compare", "Compare", build)
