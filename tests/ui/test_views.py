"""What the views say of a run; how they look and behave in a browser: stories/test_page.py."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.run import Run
from selfstudy.show.charts import Change
from selfstudy.ui.desk import Desk
from selfstudy.ui.index import index_of
from selfstudy.ui.views import new, questions, results, run, runs

from .conftest import HOSTILE


def test_the_list_of_runs_names_each_and_escapes_it(tmp_path: Path) -> None:
    assert "There is no run" in runs.html(Desk(tmp_path))
    Run.create_or_resume(tmp_path / "<b>one", Recipe()).close()
    html = runs.html(Desk(tmp_path))
    assert "&lt;b&gt;one" in html
    assert 'href="/run?run=%3Cb%3Eone"' in html


class Marked(HTMLParser):
    """What of a page is markup."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.given: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.given += attrs


def test_questions_and_results_show_hostile_text_as_text(hostile: Path) -> None:
    desk = Desk(hostile)
    with Run.open(hostile / "<b>r", write=False) as run:
        index_of(run).refresh(drawn=True)
        assert index_of(run).wait(60)
    listed, ready = questions.html(desk, {"run": "<b>r", "search": "<i>"})
    assert ready
    assert not listed.count("<i>")
    assert 'value="&lt;i&gt;"' in questions.form(desk, {"run": "<b>r", "search": "<i>"})
    listed, _ = questions.html(desk, {"run": "<b>r"})
    told, ready = results.html(desk, "<b>r")
    assert ready
    for html in (listed, told):
        marked = Marked()
        marked.feed(html)
        assert not marked.tags & {"script", "img", "i", "style", "iframe"}
        assert not {name for name, _ in marked.given if name.startswith("on") or name == "style"}
        links = [value for name, value in marked.given if name in ("href", "action", "src")]
        assert links
        assert all(value and value.startswith("/") for value in links)
        assert not set("{}$\0") & set(html)
        assert "&lt;script&gt;alert(1)" in html
    assert listed.count('href="/question?run=%3Cb%3Er&amp;id=') == len(HOSTILE)
    assert 'class="v-unknown"' in told
    assert "<polyline" in told


def test_a_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    for html, done in (questions.html(Desk(tmp_path), {"run": "x<"}), results.html(Desk(tmp_path), "x<")):
        assert done
        assert "there is no run &#39;x&lt;&#39;" in html


def test_a_change_is_a_sentence() -> None:
    one = Change("n", "Gaps", "note", True, 0.1, 0.9, (0.05, 0.15), (0.8, 0.95), 20, False, 0.2)
    assert results.sentence(one, 0.95) == (
        "Before teaching 10.0% (95% interval 5.0% to 15.0%), after 90.0% (95% interval 80.0% to 95.0%); "
        "a change of +80.0 points: it is better, by more than chance explains. Measured on 20 "
        "answers that verify checked. Training on random pairs brings +10.0."
    )


def test_a_change_without_a_test_is_not_said_to_be_more_than_chance() -> None:
    one = Change("n", "Trust", "note", True, 0.1, 0.2, None, None, None)
    assert results.sentence(one, 0.95) == (
        "Before teaching 10.0%, after 20.0%; a change of +10.0 points: no interval says whether chance alone "
        "explains it."
    )


def test_a_run_says_its_state_and_offers_to_go_on(tmp_path: Path) -> None:
    Run.create_or_resume(tmp_path / "one", Recipe()).close()
    html, _, go_on, pages = run.look(Desk(tmp_path), "one")
    assert 'data-state="' in html
    assert 'href="/results?run=one"' in pages
    assert go_on["visible"] is True or "elsewhere" in html
    assert "there is no run" in run.look(Desk(tmp_path), "../etc")[0]


def test_the_form_has_every_plain_key_once() -> None:
    keys = [one.path for one in new.form_keys()]
    assert len(keys) == len(set(keys)) > 200
    assert {"probe.samples", "verify.confidence", "seed", "model.type"} <= set(keys)
