"""Hands over what a run taught: what it would be, how, and what came of it, with its card as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.ui import handing_over
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import render
from selfstudy.ui.view import View
from selfstudy.verbs.publishing.card import sources_of
from selfstudy.verbs.publishing.chosen import choose

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

EVERY = 2.0
"""Seconds after which the page looks again."""
HERE, HUB = "a folder here", "a repository of the Hugging Face Hub"
ADAPTER, MERGED = "the adapter", "the whole model, merged"


def build(desk: Desk, page: gr.Blocks) -> None:
    """What would be published, options, a button, and what came of it."""
    shown = gr.HTML(elem_id="publication")
    run = gr.State("")
    with gr.Group():
        where = gr.Radio([HERE, HUB], value=HERE, label="Where does it go?")
        name = gr.Textbox(label="Name of the folder, or OWNER/NAME on the Hub", max_length=200)
        what = gr.Radio([ADAPTER, MERGED], value=ADAPTER, label="What is published?")
        license_ = gr.Textbox(label="Its licence (such as apache-2.0; may be empty)", max_length=100)
        data = gr.Textbox(label="Licence of the documents (may be empty)", max_length=100)
        named = gr.Checkbox(True, label="Name the documents in the card")
        private = gr.Checkbox(True, label="Private, on the Hub")
        unverified = gr.Checkbox(False, label="Also if the gate did not promote it; the card says so first")
        force = gr.Checkbox(False, label="In place of an earlier publication of this name")
    start = gr.Button("Publish", variant="primary")
    result = gr.HTML(elem_id="published")

    def load(request: gr.Request) -> tuple[str, str, str, str]:
        key = asked(dict(request.query_params), "run")
        given = re.sub(r"[^A-Za-z0-9._-]+", "-", key).strip("-.") or "run"
        return plan(desk, key), key, given, look(desk, HERE, given)

    def begin(key: str, place: str, title: str, form: str, *given: Any) -> str:
        try:
            options = _options(form, *given)
            path = desk.path_of(key)
            handing_over.start(desk.folder, path, title.strip(), options, to_hub=place == HUB)
        except SelfstudyError as error:
            return render("published", error=error, one=None)
        return look(desk, place, title)

    page.load(load, None, [shown, run, name, result], show_progress="hidden")
    form = [run, where, name, what, license_, data, named, private, unverified, force]
    start.click(begin, form, result, show_progress="hidden")
    gr.Timer(EVERY).tick(
        lambda place, title: look(desk, place, title), [where, name], result, show_progress="hidden"
    )


def _options(
    form: str, license_: str, data: str, named: bool, private: bool, unverified: bool, force: bool
) -> list[str]:
    """Of the command; what a person typed is one word of it with its option, whatever it begins with."""
    flags = {
        "--merged": form == MERGED,
        "--no-source-names": not named,
        "--private": private,
        "--unverified": unverified,
        "--force": force,
    }
    typed = {"--license": license_, "--data-license": data}
    return [
        *(flag for flag, given in flags.items() if given),
        *(f"{option}={text.strip()[:100]}" for option, text in typed.items() if text.strip()),
    ]


def plan(desk: Desk, run: str) -> str:
    """What would be published of a run."""
    try:
        chosen = choose(desk.open(run), unverified=True)
        sources = len(sources_of(chosen))
    except SelfstudyError as error:
        return render("publish", run=run, error=error, chosen=None, sources=0)
    return render("publish", run=run, error=None, chosen=chosen, sources=sources)


def look(desk: Desk, place: str, name: str) -> str:
    """How far it is, and the card."""
    try:
        one = handing_over.state(desk.folder, name.strip(), to_hub=place == HUB)
    except SelfstudyError:  # while a name is being typed
        one = None
    return render("published", error=None, one=one)


VIEW = View("publish", "Publish", build, alone=False)
