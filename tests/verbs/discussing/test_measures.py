"""Figures of discussions, worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.verbs.discussing.measures import FILE, measured, write_measures
from selfstudy.verbs.discussing.topics import GivenTopics, given_topics
from tests.verbs.discussing.experts import broken, ended, part


def test_what_each_received_and_who_is_ahead() -> None:
    # the first opens 0 and 2, the second opens 1
    found = measured([ended(0, 7, 5), ended(1, 6, 6), ended(2, 8, 2), ended(3, None, 9), broken()], seed=0)
    assert (found.discussions, found.broke_off) == (5, 1)
    first, second = found.models["first"], found.models["second"]
    assert first.received is not None
    assert first.received.value == 7  # 7, 6, 8
    assert first.unscored == 1
    assert second.received is not None
    assert second.received.value == 5.5  # 5, 6, 2, 9
    assert found.second_ahead is not None
    assert found.second_ahead.value == pytest.approx(-8 / 3)  # -2, 0, -6
    assert found.opener_ahead is not None
    assert found.opener_ahead.value == pytest.approx(8 / 3)  # 2, 0, 6
    assert found.ties is not None
    assert found.ties.value == pytest.approx(1 / 3)


def test_turns_and_what_the_discussion_changed() -> None:
    closings = {"first": part("first", "It is two!"), "second": part("second", "it is two")}
    turns = (part("first", "", cut=True), part("second", "So?"), part("first", "Yes."), part("second", "No."))
    found = measured([ended(closings=closings, turns=turns)], seed=0)
    first, second = found.models["first"], found.models["second"]
    assert first.empty is not None
    assert (first.empty.value, first.cut.value if first.cut else None) == (0.5, 0.5)
    assert second.empty is not None
    assert second.empty.value == 0
    assert first.changed is not None
    assert first.changed.value == 1  # from "one"
    assert second.changed is not None
    assert second.changed.value == 0  # case is no change
    assert found.alike_before is not None
    assert found.alike_before.value == pytest.approx(2 / 3)  # "it is", of three words each
    assert found.alike_after is not None
    assert found.alike_after.value == 1
    assert found.nearer is not None
    assert found.nearer.value == pytest.approx(1 / 3)


def test_nothing_measured_is_no_zero() -> None:
    found = measured([broken()], seed=0)
    assert (found.second_ahead, found.ties, found.nearer) == (None, None, None)
    assert found.models["first"].received is None
    assert measured([ended(turns=())], seed=0).models["first"].empty is None


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    given = GivenTopics(given_topics(["A?"]).usable, 2, ("line 3: it is empty",))
    write_measures(tmp_path, given, measured([ended()], seed=0))
    held = json.loads((tmp_path / FILE).read_text())
    assert held["selfstudy"] == "discuss"
    assert held["topics"] == {"usable": 1, "repeats": 2, "failed": ["line 3: it is empty"]}
    assert held["models"]["second"]["received"] == {"value": 5, "low": 5, "high": 5}
