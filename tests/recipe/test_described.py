"""Every key in words."""

from __future__ import annotations

from selfstudy.recipe.described import REQUIRED, fields

FOUND = list(fields())
BY_KEY = {(one.path, one.kind): one for one in FOUND}


def test_each_key_once() -> None:
    assert len(BY_KEY) == len(FOUND)


def test_a_number() -> None:
    one = BY_KEY["probe.samples", ""]
    assert (one.types, one.default, one.bounds) == ("whole number", "10", "at least 0, at most 100")
    assert one.about.startswith("How often a question is answered")
    assert one.block == "ProbeBlock"


def test_a_union_says_whose_key_it_is() -> None:
    assert BY_KEY["model.path", "local"].default == '"atlas"'
    assert BY_KEY["model.path", "scripted"].default == REQUIRED
    assert BY_KEY["model", ""].types.startswith("block")


def test_a_list_of_blocks() -> None:
    assert BY_KEY["probe.ask[].count", ""].default == REQUIRED
    assert BY_KEY["teach.phases[].epochs", "sft"].types == "number or null"
    assert BY_KEY["probe.compare", ""].types.startswith("list of one of selfcheck-nli")


def test_a_choice_and_a_bound_beside_null() -> None:
    assert BY_KEY["smoke", ""].types == "one of refuse, warn, skip or null"
    assert BY_KEY["budget.minutes", ""].bounds == "above 0"
