"""What no recipe may hold, and how it is told."""

from __future__ import annotations

import pytest

from selfstudy.recipe.values import brief, kind_of, leaves, shown, unreadable, without_keys, wrong


@pytest.mark.parametrize("value", ["a\0b", "\ud800", 10**30, -(2**63), float("inf"), float("nan")])
def test_what_neither_a_file_nor_a_program_can_work_with_is_told_with_its_key(value: object) -> None:
    (told,) = unreadable({"a": {"b": ["fine", value]}})
    assert told.startswith("a.b.1: ")
    assert told.isprintable()


def test_plain_values_are_fine_and_broken_keys_are_not() -> None:
    assert not list(unreadable({"a": ["text", 2**62, 1.5, True, None, "ü", "😀"], 5: "x"}))
    assert list(unreadable({"a\0": 1})) == ["a\\x00: the key holds a NUL character"]


def test_keys_are_shown_short() -> None:
    assert brief("x" * 1000) == "x" * 77 + "..."
    assert [kind_of(key) for key in (True, None, 5)] == ["true or false", "nothing", "a number"]
    assert dict(leaves({"a": {"b": [1, {}]}, "c": []})) == {"a.b.0": 1, "a.b.1": {}, "c": []}


def test_values_are_shown_without_what_may_be_a_key() -> None:
    digest = "9f86d081884c7d659a2feaa0c55ad015"
    assert shown({"revision": digest}) == f'{{"revision": "{digest}"}}'
    assert wrong({"revision": digest, "token": "ab"}) == '{"revision": "(not shown)", "token": "(not shown)"}'
    ordinary = "averylongnameofawordwithoutend 20240131 probe.samples_5"
    assert without_keys(ordinary) == ordinary
