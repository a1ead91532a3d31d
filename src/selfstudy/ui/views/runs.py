"""The first page: all runs, what state each is in, how far it is, what it cost and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.ui.markup import render
from selfstudy.ui.run_state import RunState, pending, state_of
from selfstudy.ui.view import View
from selfstudy.verbs.status.status import RunStatus

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

MOST_RUNS = 200
"""That are listed; the newest."""
EVERY = 5.0
"""Seconds after which the list is made anew."""


def build(desk: Desk, page: gr.Blocks) -> None:
    """A list, made anew while it is open."""
    listed = gr.HTML(elem_id="runs")
    page.load(lambda: html(desk), None, listed, show_progress="hidden")
    gr.Timer(EVERY).tick(lambda: html(desk), None, listed, show_progress="hidden")


def html(desk: Desk) -> str:
    """The list."""
    names = desk.run_names()
    names = [*(name for name in pending(desk) if name not in names), *names]
    rows = [_state(desk, name) for name in names[:MOST_RUNS]]
    return render("runs", rows=rows, left_out=len(names) - len(rows), folder=str(desk.folder))


def _state(desk: Desk, name: str) -> RunState:
    try:
        return state_of(desk, name)
    except SelfstudyError as error:
        return RunState(name, "stopped", RunStatus(name, problems=(error.what,)))


VIEW = View("", "Runs", build)
