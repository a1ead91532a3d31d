"""Rates answers one by one, not knowing whose they are; then makes judgements and pairs of what was said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from selfstudy.errors import SelfstudyError
from selfstudy.show.words import ARMS
from selfstudy.ui import rating, rating_downloads, rating_outcome
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import problem, render
from selfstudy.ui.rated_answers import LONGEST
from selfstudy.ui.rating import SOURCES, Rated, RatingPlace
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

EVERY = 2.0
"""Seconds after which the command is looked at anew."""
USUAL = 20
"""Questions that are rated, unless another number is given."""
ONE_BY_ONE = "rate"
"""What writes is done in order: what was typed first must not come last."""
_KEYS = """const form = element.closest("#rate-form");
const all = () => [...form.querySelectorAll("#rate-value input[type=radio]")];
const buttons = {n: "#rate-next", p: "#rate-previous", m: "#rate-missing textarea"};
const wait = () => { form.dataset.moving = "1"; setTimeout(() => delete form.dataset.moving, 5000); };
const group = () => all().forEach((one) => { one.name = "rate-value"; });
form.addEventListener("focusin", group);
form.addEventListener("change", () => setTimeout(group, 100));
form.addEventListener("click", (event) => {
  if (event.target.closest("#rate-next, #rate-previous")) wait();
});
form.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("textarea")) { if (event.key === "Enter" && !event.shiftKey) wait(); return; }
  const chosen = /^[0-9]$/.test(event.key) ? all()[(Number(event.key) + 9) % 10]
    : form.querySelector(buttons[event.key] || "none");
  if (!chosen) return;
  event.preventDefault();
  if (form.dataset.moving) return;
  if (event.key === "m") chosen.focus(); else chosen.click();
});"""
"""Keys of the form: they do something only while it has the keyboard, and not while a text is written, nor
before the next answer is there: they would be about the one before.  Gradio gives each choice a group of its
own, so that arrows would not lead from one to the next."""
_READ = """(was) => { delete document.getElementById("rate-form")?.dataset.moving; if (!was) return;
const at = new URL(window.location.href); at.searchParams.set("at", JSON.parse(was).id);
window.history.replaceState({}, "", at);
setTimeout(() => document.getElementById("rate-read")?.focus(), 50); }"""
"""After another answer was chosen: the address names it, and the keyboard is there."""


def build(desk: Desk, page: gr.Blocks) -> None:
    """A form to begin with, one for each answer, and what comes of it."""
    told = gr.HTML(elem_id="rating")
    with gr.Column(visible=False, elem_id="rate-begin") as beginning:
        count = gr.Number(
            USUAL, label="Questions", info=f"At most {rating.MOST_QUESTIONS}.", precision=0, minimum=1
        )
        begin = gr.Button("Begin", variant="primary", elem_id="begin")
    with gr.Column(visible=False, elem_id="rate-form") as form:
        read = gr.HTML(elem_id="rate-answer")
        was = gr.Textbox(visible="hidden", elem_id="rate-was")
        value = gr.Radio(
            [(str(one), one) for one in range(1, 11)],
            label="Your rating",
            info="1: useless or false; 10: right, and nothing is missing.",
            elem_id="rate-value",
        )
        missing = gr.Textbox(
            label="What is missing?",
            info="What a good answer would say and this one does not; empty: nothing. Enter: the next one.",
            lines=1,
            max_lines=6,
            elem_id="rate-missing",
        )
        with gr.Row():
            back = gr.Button("Previous", elem_id="rate-previous")
            on = gr.Button("Next", variant="primary", elem_id="rate-next")
        progress = gr.HTML(elem_id="rate-progress")
        gr.HTML(
            "<p>Keys, while the answer or a number has the keyboard: 1 to 9, 0 for ten, "
            "m what is missing, n next, p previous.</p>",
            js_on_load=_KEYS,
        )
    with gr.Column(visible=False, elem_id="rate-end") as end:
        gr.HTML("<h2>Judgements and pairs</h2>")
        reward = gr.Radio(
            [(about, key) for key, about in rating_outcome.REWARDS.items()],
            value="missing",
            label="The best answer to a question is told from the worst by",
            elem_id="rate-reward",
        )
        make = gr.Button("Make judgements and pairs", elem_id="rate-make")
        came = gr.HTML(elem_id="rate-outcome")
    timer = gr.Timer(EVERY, active=False)

    item = [read, was, value, missing]
    everything = [told, beginning, form, end, *item, progress, came, timer]

    def load(request: gr.Request) -> list[Any]:
        return opened(desk, request.query_params)

    def begun(number: float | None, request: gr.Request) -> list[Any]:
        return opened(desk, request.query_params, begin=int(number or USUAL))

    def keep_rating(before: str, number: int | None, request: gr.Request) -> str:
        return kept(desk, request.query_params, before, {"rating": number})[0]

    def keep_missing(before: str, text: str, request: gr.Request) -> str:
        return kept(desk, request.query_params, before, {"missing": text})[0]

    def move(step: int) -> Any:
        def moved(before: str, number: int | None, text: str, request: gr.Request) -> list[Any]:
            left = unsaved(before, {"rating": number, "missing": text})
            news, rated = kept(desk, request.query_params, before, left)
            return [news, *(shown(rated, _id(before), step) if rated else [gr.skip()] * len(item))]

        return moved

    def made(kind: str, request: gr.Request) -> list[Any]:
        return outcome(desk, request.query_params, start=kind)

    def look(request: gr.Request) -> list[Any]:
        return outcome(desk, request.query_params)

    quiet: dict[str, Any] = {"show_progress": "hidden"}
    in_order: dict[str, Any] = {**quiet, "concurrency_id": ONE_BY_ONE, "concurrency_limit": 1}
    page.load(load, None, everything, **quiet).then(None, was, None, js=_READ)
    begin.click(begun, count, everything, show_progress="minimal").then(None, was, None, js=_READ)
    value.input(keep_rating, [was, value], progress, **in_order)
    missing.input(keep_missing, [was, missing], progress, trigger_mode="always_last", **in_order)
    said = [was, value, missing]
    for event, step in ((on.click, 1), (missing.submit, 1), (back.click, -1)):
        event(move(step), said, [progress, *item], **in_order).then(None, was, None, js=_READ)
    make.click(made, reward, [came, timer], **quiet)
    timer.tick(look, None, [came, timer], **quiet)


def opened(desk: Desk, query: Mapping[str, str], begin: int = 0) -> list[Any]:
    """All that is seen at first: what is rated, the form to begin or the first answer without a rating.

    Args:
        begin: questions to begin with; 0: nothing is begun.
    """
    if not asked(query, "run") and not asked(query, "sheet"):
        return _page(None)
    place = None
    try:
        place = rating.place_of(desk, query)
        if begin:
            rating.begin(desk, place, begin)
        if not place.sheet.exists():
            return _page(place)
        return _page(place, rating.read(place), desk=desk, at=asked(query, "at"))
    except SelfstudyError as error:
        return _page(place, error=problem(error))


def _page(
    place: RatingPlace | None,
    rated: Sequence[Rated] = (),
    *,
    desk: Desk | None = None,
    at: str = "",
    error: str = "",
) -> list[Any]:
    words = {"sources": SOURCES, "begun": bool(rated), "place": place, "problem": error, "file": ""}
    if place is not None and desk is not None:
        words["file"] = place.sheet.relative_to(desk.folder).as_posix()
    told = render("rate", **words)
    may_begin = place is not None and not rated and not place.sheet.exists()
    forms = [gr.update(visible=one) for one in (may_begin, bool(rated), bool(rated))]
    if place is None or not rated:
        return [told, *forms, *[gr.skip()] * 7]
    first = next((one.id for one in rated if one.rating is None), rated[0].id)
    known = at if any(one.id == at for one in rated) else first
    return [told, *forms, *shown(rated, known), _progress(rated), *_outcome(place, rated)]


def shown(rated: Sequence[Rated], name: str, step: int = 0) -> list[Any]:
    """An answer as the form shows it: what is read, what was said of it, the rating and what is missing.

    Args:
        name: an id; step: 1 for the one after it, -1 for the one before; at the ends it stays.
    """
    at = next((number for number, one in enumerate(rated) if one.id == name), 0)
    at = min(max(0, at + step), len(rated) - 1)
    one = rated[at]
    prompts = list(dict.fromkeys(each.prompt for each in rated))
    read = render(
        "rate_answer",
        one=one,
        number=at + 1,
        of=len(rated),
        question=prompts.index(one.prompt) + 1,
        questions=len(prompts),
        several=sum(each.prompt == one.prompt for each in rated),
        longest=LONGEST,
    )
    was = json.dumps({"id": one.id, "rating": one.rating, "missing": one.missing})
    return [read, was, one.rating, one.missing]


def _id(was: str) -> str:
    return str(_was(was).get("id", ""))


def _was(was: str) -> dict[str, Any]:
    """What the form was filled with, as the browser gives it back."""
    try:
        found = json.loads(was)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def unsaved(was: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What in the form is not as it was filled: it has been written already, unless that failed.

    What nobody touched is left out: another tab may have written it meanwhile.
    """
    before = _was(was)
    return {key: value for key, value in said.items() if before.get(key) != value}


def kept(desk: Desk, query: Mapping[str, str], was: str, said: Mapping[str, Any]) -> tuple[str, list[Rated]]:
    """Keeps what was said of an answer: how far it is, or what went wrong; and all, none if that did.

    Args:
        was: with its id, see `shown`.
        said: `rating`, `missing`, both, or nothing.
    """
    try:
        place = rating.place_of(desk, query)
        rated = rating.keep(place, _id(was), said) if said else rating.read(place)
    except SelfstudyError as error:
        return render("said", what=error.what, hint=error.hint), []
    return _progress(rated), rated


def _progress(rated: Sequence[Rated]) -> str:
    done = Counter(one.prompt for one in rated if one.rating is not None)
    several = sum(count > 1 for count in done.values())
    return render("rate_progress", done=done.total(), of=len(rated), several=several)


def outcome(desk: Desk, query: Mapping[str, str], start: str = "") -> list[Any]:
    """What came of the command, which is started first if a reward is named; and whether to look again."""
    try:
        place = rating.place_of(desk, query)
        try:
            if start:
                rating_outcome.start(place, start)
        except SelfstudyError as error:
            return _outcome(place, [], problem(error))
        return _outcome(place, rating.read(place))
    except SelfstudyError as error:
        return [render("said", what=error.what, hint=error.hint), gr.Timer(active=False)]


def _outcome(place: RatingPlace, rated: Sequence[Rated], error: str = "") -> list[Any]:
    one = rating_outcome.outcome(place)
    ended = one is not None and not one.runs
    html = render(
        "rate_outcome",
        one=one,
        arms=rating_outcome.by_arm(place, rated) if ended else [],
        names=ARMS,
        files=rating_downloads.offered(place),
        problem=error,
    )
    return [html, gr.Timer(EVERY, active=one is not None and one.runs)]


VIEW = View("rate", "Rate answers", build, alone=False)
