"""The first page: all runs, what state each is in, how far it is, what it cost and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.ui import processes
from selfstudy.ui.desk import written
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

_State = dict[str, tuple[tuple[float, float], RunState]]
"""By name, the state that a run was in, and when it was last written to then."""


def build(desk: Desk, page: gr.Blocks) -> None:
    """A list, made anew while it is open."""
    listed = gr.HTML(elem_id="runs")
    known: _State = {}
    page.load(lambda: html(desk, known), None, listed, show_progress="hidden")
    gr.Timer(EVERY).tick(lambda: html(desk, known), None, listed, show_progress="hidden")


def html(desk: Desk, known: _State | None = None) -> str:
    """The list.

    Args:
        known: what was found before, kept up to date: a run that nobody writes is not read again.
    """
    known = {} if known is None else known
    names = desk.run_names()
    names = [*(name for name in pending(desk) if name not in names), *names]
    rows = [_state(desk, name, known) for name in names[:MOST_RUNS]]
    return render("runs", rows=rows, left_out=len(names) - len(rows), folder=str(desk.folder))


def _state(desk: Desk, name: str, known: _State) -> RunState:
    stamp = (written(desk.folder / name), written(processes.place_of(desk.folder, name)))
    before = known.get(name)
    if before is not None and before[0] == stamp and not before[1].at_work:
        return before[1]
    try:
        found = state_of(desk, name)
    except SelfstudyError as error:
        found = RunState(name, "stopped", RunStatus(name, problems=(error.what,)))
    known[name] = (stamp, found)
    return found


VIEW = View("", "Runs", build)
