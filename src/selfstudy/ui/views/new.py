"""A new run: what to teach, from what, and how much; then what it will take, and a button that starts it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.library.parsing.formats import READERS
from selfstudy.recipe.described import Described, fields
from selfstudy.recipe.goals import GOALS, SIZES
from selfstudy.ui import new_run
from selfstudy.ui.markup import address, render
from selfstudy.ui.new_run import Wish
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

SIMPLE = ("model.path", "library")
"""Keys that have a field of their own."""
OFFERED = ("facts", "cite")
"""Goals that are a recipe alone: others want a file more, or other stages."""


def form_keys() -> list[Described]:
    """The keys with a field each: those of lists and of the blocks in them are written as a whole."""
    found: dict[str, Described] = {}
    for one in fields():
        if "[]" not in one.path and one.path not in SIMPLE and not one.path.startswith("library."):
            found.setdefault(one.path, one)
    blocks = {path.rpartition(".")[0] for path in found}
    return [one for path, one in found.items() if path not in blocks]


def build(desk: Desk, page: gr.Blocks) -> None:
    """The form; nothing that was typed is lost by an error."""
    gr.HTML(render("new"))
    name = gr.Textbox(label="Name of the run", info="The folder that it gets.", elem_id="name", max_lines=1)
    model = gr.Textbox(
        "atlas",
        label="Model",
        info="A folder, an id on the Hugging Face Hub, or atlas: the small one that comes along.",
        elem_id="model",
        max_lines=1,
    )
    files = gr.File(
        label="Documents to learn from: drop them here",
        file_count="multiple",
        file_types=list(READERS),
        elem_id="documents",
    )
    library = gr.Textbox(
        label="Or where they are",
        info="A folder on this machine, the address of a page, or atlas. Empty: what is dropped above.",
        elem_id="library",
        max_lines=1,
    )
    goal = gr.Radio(
        [(one.said, name) for name, one in GOALS.items() if name in OFFERED],
        value=OFFERED[0],
        label="What for",
        elem_id="goal",
    )
    size = gr.Radio(
        [(one.said, name) for name, one in SIZES.items()], value="look", label="How much", elem_id="size"
    )
    keys = form_keys()
    boxes: list[gr.Textbox] = []
    with gr.Accordion("All keys of the recipe", open=False, elem_id="keys"):
        gr.HTML(render("keys"))
        for block, inside in itertools.groupby(keys, lambda one: one.path.partition(".")[0]):
            many = list(inside)
            with gr.Accordion(block, open=False):
                boxes += [_box(one) for one in many]
    measure = gr.Checkbox(
        True,
        label="Measure how fast the model is, for some seconds",
        info="Else no time is told. A remote model may charge for it.",
        elem_id="measure",
    )
    look = gr.Button("Check and estimate", variant="primary", elem_id="check")
    told = gr.HTML(elem_id="told")
    start = gr.Button("Start", variant="primary", visible=False, elem_id="start")
    goes_to = gr.Textbox(visible=False)
    ready = gr.State("")

    def checked(
        name: str, model: str, files: Any, library: str, goal: str, size: str, measure: bool, *values: str
    ) -> Iterator[Any]:
        changes = {
            one.path: value for one, value in zip(keys, values, strict=True) if value and value.strip()
        }
        given = tuple(Path(str(one)) for one in files or ())
        wish = Wish(name.strip(), model, library, given, goal, size, changes)
        yield from check(desk, wish, measure=measure)

    def started(name: str) -> tuple[str, str]:
        try:
            new_run.start(desk, name)
        except SelfstudyError as error:
            return render("said", what=error.what, hint=error.hint), ""
        return render("said", what=f"{name} was started"), address("run", run=name)

    given = [name, model, files, library, goal, size, measure, *boxes]
    look.click(checked, given, [told, start, ready], show_progress="hidden")
    start.click(started, ready, [told, goes_to]).then(
        None, goes_to, None, js="(to) => { if (to) window.location.assign(to) }"
    )


def check(desk: Desk, wish: Wish, *, measure: bool) -> Iterator[tuple[str, Any, str]]:
    """What is said while it is looked at; whether there is a button to start; and the run that it starts."""
    hidden = gr.update(visible=False)
    try:
        recipe = new_run.write(desk, wish)
        yield render("said", what="asking the model some trivial questions: some seconds"), hidden, ""
        findings, ready = new_run.smoke(recipe)
        yield (
            render("forecast", found=new_run.Forecast(findings, ready), recipe=recipe, open=True),
            hidden,
            "",
        )
        found = new_run.estimate(recipe, findings, ready=ready, measure=measure)
    except SelfstudyError as error:
        yield render("said", what=error.what, hint=error.hint), hidden, ""
        return
    html = render("forecast", found=found, recipe=recipe, open=False)
    yield html, gr.update(visible=ready), wish.name


def _box(one: Described) -> gr.Textbox:
    about = " ".join(one.about.split())
    bounds = f", {one.bounds}" if one.bounds else ""
    info = f"{one.types}{bounds}. {about}".strip()
    return gr.Textbox(label=one.path, info=info, placeholder=one.default, max_lines=1)


VIEW = View("new", "New run", build)
