"""Base and taught model side by side, with what the run knows about the question under their answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.show.words import ARMS, RIGHT, VERDICT_MEANS
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import problem, render
from selfstudy.ui.talks import LONGEST, Talks
from selfstudy.ui.trails import LONGEST as LONGEST_ANSWER
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk
    from selfstudy.verbs.chat import TalkTurn

MOST_TURNS = 30
"""Questions that stay in the page."""


def build(desk: Desk, page: gr.Blocks) -> None:
    """A line to ask, a button that lets the models go, and what was said."""
    talks = Talks()
    heading = gr.HTML(elem_id="chat-of")
    run, history = gr.State(""), gr.State([])
    question = gr.Textbox(label="Your question", lines=1, max_length=LONGEST, elem_id="chat-question")
    with gr.Row():
        send = gr.Button("Ask", variant="primary")
        free = gr.Button("Let the models go")
    state = gr.HTML(elem_id="chat-state")
    talk = gr.HTML(elem_id="talk")

    def load(request: gr.Request) -> tuple[str, str, str]:
        name = asked(request.query_params, "run")
        return name, head(desk, name), html("", ())

    def ask(name: str, said: str, before: list[TalkTurn]) -> Iterator[tuple[list[TalkTurn], str, str, str]]:
        if not said.strip():
            yield before, html(name, before), note("Type a question first."), said
            return
        try:
            path = desk.path_of(name)
        except SelfstudyError as error:
            yield before, html(name, before), note(problem(error)), said
            return
        for doing, job in talks.ask(path, said.strip()):
            if doing:
                yield before, html(name, before), note(f"{doing} ..."), said
            elif isinstance(job.found, SelfstudyError):
                yield before, html(name, before), note(problem(job.found)), said
            elif job.found is not None:
                now = [*before, job.found][-MOST_TURNS:]
                yield now, html(name, now), note(" ".join(job.notes)), ""

    def let_go() -> str:
        talks.release()
        return note("The models are not in memory any more; the next question loads them again.")

    page.load(load, None, [run, heading, talk], show_progress="hidden")
    parts, given = [history, talk, state, question], [run, question, history]
    gr.on(
        [send.click, question.submit],
        ask,
        given,
        parts,
        show_progress="hidden",
        concurrency_limit=1,
        concurrency_id="chat",
        trigger_mode="once",
    )
    free.click(let_go, None, state, show_progress="hidden")


def head(desk: Desk, name: str) -> str:
    """Of the page; an error is a sentence."""
    try:
        desk.path_of(name)
    except SelfstudyError as error:
        return render("chat_head", run=name, problem=problem(error))
    return render("chat_head", run=name, problem="")


def note(said: str) -> str:
    """What is being done, or what went wrong."""
    return render("chat_note", said=said)


def html(run: str, exchanges: Sequence[TalkTurn]) -> str:
    """What was asked and answered, the last one first."""
    return render(
        "chat",
        run=run,
        exchanges=list(reversed(exchanges)),
        right=RIGHT,
        arms=ARMS,
        means=VERDICT_MEANS,
        longest=LONGEST_ANSWER,
    )


VIEW = View("chat", "Chat", build, alone=False)
