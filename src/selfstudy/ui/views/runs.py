"""The first page: all runs, how far each is, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.ui.markup import render
from selfstudy.ui.view import View
from selfstudy.verbs.status.status import RunStatus, status_of

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
    rows = [(name, _status(desk, name)) for name in names[:MOST_RUNS]]
    return render("runs", rows=rows, left_out=len(names) - len(rows), folder=str(desk.folder))


def _status(desk: Desk, name: str) -> RunStatus:
    try:
        return status_of(desk.path_of(name))
    except SelfstudyError as error:
        return RunStatus(name, problems=(error.what,))


VIEW = View("", "Runs", build)
