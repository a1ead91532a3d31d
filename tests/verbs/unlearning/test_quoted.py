"""A sentence is found however it is written down, and nothing else is."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.verbs.unlearning.quoted import Quotable, strings

SAID = "The capital of Peru is Lima.\nIt says “1,000 × déjà vu” on its coins. Yes, it does."
FRENCH = "It says “1,000 × déjà vu” on its coins."


@pytest.fixture
def quotable() -> Quotable:
    return Quotable([SAID])


def test_sentences_of_four_words_count_and_shorter_ones_do_not(quotable: Quotable) -> None:
    assert len(quotable) == 2
    assert not quotable.quotes("Yes, it does.")


@pytest.mark.parametrize(
    "text",
    [
        "The capital of Peru is Lima.",
        "Is it so?  the CAPITAL of\nPeru is: Lima; so they say",
        "**The capital of Peru** is _Lima_.",
        f"He said: {FRENCH}",
    ],
)
def test_however_it_is_put(quotable: Quotable, text: str) -> None:
    assert quotable.quotes(text)
    assert quotable.in_file(text.encode())
    assert quotable.in_file(json.dumps({"a": [{"b": text}]}).encode())
    assert quotable.in_file(b'{"n": 1}\n' + json.dumps({"a": text}).encode() + b"\n")


def test_as_a_page_and_in_a_binary_file(quotable: Quotable, tmp_path: Path) -> None:
    assert quotable.in_file(b"<p>It says &ldquo;1,000 &times; d&eacute;j&agrave; vu&rdquo; on its coins.</p>")
    file = tmp_path / "some.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE t (a TEXT, b BLOB)")
        database.execute("INSERT INTO t VALUES (?, ?)", ("x", json.dumps([FRENCH]).encode()))
    database.close()
    assert quotable.in_file(file.read_bytes())
    np.save(tmp_path / "a.npy", np.array([FRENCH.encode(), b"x"]))
    assert quotable.in_file((tmp_path / "a.npy").read_bytes())


@pytest.mark.parametrize(
    "text",
    [
        "The capital of Peru is Limassol.",
        "The capital of Peru was Lima.",
        "capital of Peru",
        "",
        "Lima is the capital of Peru.",
    ],
)
def test_what_says_something_else_is_left(quotable: Quotable, text: str) -> None:
    assert not quotable.quotes(text)
    assert not quotable.in_file(text.encode())
    assert not quotable.in_file(b"\0" + text.encode())


def test_what_others_say_too_is_not_searched_for(quotable: Quotable) -> None:
    left = quotable.without(["Some page. The capital of Peru is Lima. More."])
    assert len(left) == 1
    assert not left.quotes("The capital of Peru is Lima.")
    assert left.quotes(FRENCH)


def test_scripts_without_spaces() -> None:
    quotable = Quotable(["秘鲁的首都是利马和很多人。是的。"])
    assert len(quotable) == 1
    assert quotable.quotes("他说秘鲁的首都是利马和很多人吗")


def test_nothing_quotes_nothing() -> None:
    assert not Quotable().in_file(b"anything at all that is said")


def test_all_texts_of_plain_data() -> None:
    assert list(strings({"a": [1, "b", {"c": None, "d": ("e",)}]})) == ["a", "b", "c", "d", "e"]


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_a_sentence_is_found_between_anything(before: str, after: str) -> None:
    quotable = Quotable(["The capital of Peru is Lima."])
    assert quotable.quotes(f"{before} The capital of Peru is Lima. {after}")
