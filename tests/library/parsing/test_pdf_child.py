"""What the process that reads PDFs makes of its bounds."""

from __future__ import annotations

import json

import pytest

from selfstudy.library.parsing import pdf_child

from ..pdfs import pdf


def test_no_more_pages_and_characters_than_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_child, "MAX_PAGES", 2)
    found = json.loads(pdf_child.read(pdf(["one", "two", "three"]))[0])
    assert (found["text"], found["pages"], found["read"]) == ("one\n\ntwo", 3, 2)
    monkeypatch.setattr(pdf_child, "MAX_TEXT", 4)
    assert json.loads(pdf_child.read(pdf(["one", "two", "three"]))[0])["text"] == "one\n\nt"


def test_a_word_that_is_broken_over_two_lines_is_one() -> None:
    assert pdf_child._BROKEN_WORD.sub("", "rail\x02\r\nway \ufffeline") == "railway line"
    assert pdf_child._date("20240501") == pdf_child._date("D:20240501120000+01'00'") == "2024-05-01"
    assert pdf_child._date("yesterday") == ""
