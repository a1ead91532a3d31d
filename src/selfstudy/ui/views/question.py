"""One question's whole trail: how it was asked, what was found, what was taught, and what is answered now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.records import Withdrawn
from selfstudy.show.words import ARMS, RIGHT, SETTLED
from selfstudy.ui import corrections
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import problem, render
from selfstudy.ui.trails import LONGEST, MOST_ITEMS, NEAR, question_trail, said
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from gradio.components import Component

    from selfstudy.ui.desk import Desk

JUDGED = {
    "key": "an accepted answer of the key",
    "reference": "the reference, read from evidence",
    "page": "what the page in the prompt says",
}
WORDINGS = {
    "original": "as first asked",
    "trained": "in other words, which were trained",
    "reworded": "in other words, which were not trained",
    "novel": "in words seen nowhere before",
}


def build(desk: Desk, page: gr.Blocks) -> None:
    """The trail that the address asks for."""
    shown = gr.HTML(elem_id="question")
    told = _form(desk)

    def load(request: gr.Request) -> list[Any]:
        query = request.query_params
        return [html(desk, query), *_told(corrections.so_far(desk, query))]

    page.load(load, None, [shown, *told], show_progress="hidden")


def _form(desk: Desk) -> list[Component]:
    """The fields and the buttons; what was said so far stands above them.

    Returns:
        What `_told` gives the values of, for the view to fill when it is loaded.
    """
    with gr.Group(elem_id="correct"):
        told = gr.HTML(elem_id="corrections", padding=True)
        label = gr.Radio(
            list(corrections.LABELS),
            value=corrections.NOTHING,
            label="The model's first answer is",
            elem_id="label",
        )
        reference = gr.Textbox(
            label="A better reference",
            info="What is right; empty: the one above stands.",
            lines=2,
            elem_id="reference",
        )
        note = gr.Textbox(label="Note", info="Why; it is kept beside what you say.", lines=2, elem_id="note")
        by = gr.Textbox(label="Your name", info="May be empty.", max_lines=1, elem_id="by")
        button = gr.Button("Keep it", variant="primary", elem_id="keep")
        with gr.Row():
            no_label = gr.Button(
                "Withdraw the label, with this note", visible=False, elem_id="withdraw-label"
            )
            no_reference = gr.Button(
                "Withdraw the reference, with this note", visible=False, elem_id="withdraw-reference"
            )
    shown: list[Component] = [told, no_label, no_reference]

    def keep(chosen: str, better: str, why: str, name: str, request: gr.Request) -> list[Any]:
        said = corrections.said(desk, request.query_params, label=chosen, reference=better, note=why, by=name)
        typed = [corrections.NOTHING, "", ""] if said.kept else [gr.skip()] * 3
        return [*_told(said), *typed]

    def withdraw(what: Withdrawn, why: str, name: str, request: gr.Request) -> list[Any]:
        said = corrections.said(desk, request.query_params, note=why, by=name, withdraws=what)
        return [*_told(said), "" if said.kept else gr.skip()]

    button.click(keep, [label, reference, note, by], [*shown, label, reference, note], show_progress="hidden")
    for taken, what in ((no_label, "label"), (no_reference, "reference")):
        named = gr.State(what)
        taken.click(withdraw, [named, note, by], [*shown, note], show_progress="hidden")
    return shown


def _told(said: corrections.SaidOfQuestion) -> list[Any]:
    """What people said, and the buttons that withdraw what counts."""
    return [said.html, gr.update(visible=said.label), gr.update(visible=said.reference)]


def html(desk: Desk, query: Mapping[str, str]) -> str:
    """The trail of the question `id` of the run `run`, the round `round` first; an error is a sentence."""
    name, wanted, turn = asked(query, "run"), asked(query, "id"), asked(query, "round")
    first = int(turn) if turn.isascii() and turn.isdigit() and len(turn) < 7 else 0
    try:
        if not wanted.strip():
            return render("question", run=name, problem="No question is named.", found=None, **_WORDS)
        with desk.open(name) as run:
            found = question_trail(run, wanted, first)
    except SelfstudyError as error:
        return render("question", run=name, problem=problem(error), found=None, **_WORDS)
    return render("question", run=name, problem="", found=found, **_WORDS)


_WORDS = {
    "arms": ARMS,
    "right": RIGHT,
    "settled": SETTLED,
    "judged": JUDGED,
    "wordings": WORDINGS,
    "said": said,
    "longest": LONGEST,
    "most": MOST_ITEMS,
    "near": NEAR,
}

VIEW = View("question", "Question", build, alone=False)
