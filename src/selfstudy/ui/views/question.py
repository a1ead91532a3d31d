"""One question's whole trail: how it was asked, what was found, what was taught, and what is answered now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.show.words import ARMS, RIGHT, SETTLED
from selfstudy.ui import corrections
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import problem, render
from selfstudy.ui.trails import LONGEST, MOST_ITEMS, NEAR, question_trail, said
from selfstudy.ui.view import View

if TYPE_CHECKING:
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
    told = corrections.form(desk)

    def load(request: gr.Request) -> tuple[str, str]:
        return html(desk, request.query_params), corrections.html(desk, request.query_params)

    page.load(load, None, [shown, told], show_progress="hidden")


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
