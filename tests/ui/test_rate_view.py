"""The page for ratings: what it shows and keeps; in a browser: stories/test_rating_page.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfstudy.ui import rating
from selfstudy.ui.desk import Desk
from selfstudy.ui.views import rate

from .conftest import HOSTILE
from .rated import make_probed_run, make_run
from .test_rating import RUN, begun
from .test_views import Marked


def test_it_begins_and_comes_back_to_the_first_without_a_rating(tmp_path: Path) -> None:
    desk = Desk(make_run(tmp_path))
    told, beginning, form, *_ = rate.opened(desk, RUN)
    assert (beginning["visible"], form["visible"]) == (True, False)
    assert "the answers before and after teaching" in told
    told, beginning, form, _, read, was, value, missing, progress, *_ = rate.opened(desk, RUN, begin=2)
    assert (beginning["visible"], form["visible"], value, missing) == (False, True, None, "")
    assert "Answer 1 of 4" in read
    assert "0 of 4 rated" in progress
    assert not {"base", "taught", "before", "after"} & set(read.replace("<", " ").split())
    kept, rated = rate.kept(desk, RUN, was, {"rating": 7})
    assert "1 of 4 rated" in kept
    assert "Answer 2 of 4" in rate.opened(desk, RUN)[4]
    assert "Answer 1 of 4" in rate.opened(desk, {**RUN, "at": rated[0].id})[4]
    assert "Answer 2 of 4" in rate.opened(desk, {**RUN, "at": "none"})[4]


def test_next_and_previous_stop_at_the_ends(tmp_path: Path) -> None:
    place = begun(make_run(tmp_path, 1))
    first, second = rating.read(place)
    rated = rating.read(place)
    assert [rate.shown(rated, *at)[0].count("Answer 2 of 2") for at in ((first.id, 1), (second.id, 1))] == [
        1,
        1,
    ]
    assert "Answer 1 of 2" in rate.shown(rated, first.id, -1)[0]


def test_passing_by_writes_nothing_over_what_another_tab_said(tmp_path: Path) -> None:
    desk = Desk(make_run(tmp_path))
    was = rate.opened(desk, RUN, begin=5)[5]
    rate.kept(desk, RUN, was, {"rating": 9, "missing": "of the other tab"})
    assert rate.unsaved(was, {"rating": None, "missing": ""}) == {}
    assert rate.unsaved(was, {"rating": None, "missing": "typed"}) == {"missing": "typed"}
    rate.kept(desk, RUN, was, rate.unsaved(was, {"rating": 3, "missing": ""}))
    first = rating.read(rating.place_of(desk, RUN))[0]
    assert (first.rating, first.missing) == (3, "of the other tab")


def test_what_goes_wrong_is_a_sentence(tmp_path: Path) -> None:
    desk = Desk(make_run(tmp_path))
    assert "Path of the sheet" in rate.opened(desk, {})[0]
    for query in ({"run": "../etc"}, {"sheet": "../s.csv"}):
        told, *forms = rate.opened(desk, query, begin=3)
        assert "there is no" in told
        assert [one["visible"] for one in forms[:3]] == [False] * 3
        assert "there is no" in rate.kept(desk, query, "{}", {"rating": 1})[0]
        assert "there is no" in rate.outcome(desk, query, "missing")[0]
    was = rate.opened(desk, RUN, begin=3)[5]
    assert "nothing is rated yet" in rate.outcome(desk, RUN, "missing")[0]
    for broken in ("", "[]", "{", '{"id": 3}'):
        assert "not in the sheet any more" in rate.kept(desk, RUN, broken, {"rating": 1})[0]
    rating.place_of(desk, RUN).sheet.write_text("{]\n")
    assert "line 1 is damaged" in rate.opened(desk, RUN)[0]
    told, rated = rate.kept(desk, RUN, was, {"rating": 1})
    assert ("line 1 is damaged" in told, rated) == (True, [])


def test_hostile_answers_are_text(tmp_path: Path) -> None:
    texts: dict[str, list[Any]] = {text: [text, f"{text} again"] for text in HOSTILE}
    desk = Desk(make_probed_run(tmp_path, texts))
    rate.opened(desk, RUN, begin=20)
    rated = rating.read(rating.place_of(desk, RUN))
    assert len(rated) == 2 * len(HOSTILE)
    for one in rated:
        read = rate.shown(rated, one.id)[0]
        marked = Marked()
        marked.feed(read)
        assert not marked.tags & {"script", "img", "a", "style", "iframe"}
        assert not {name for name, _ in marked.given if name.startswith("on") or name == "style"}
        assert not set("{}$\0") & set(read)
