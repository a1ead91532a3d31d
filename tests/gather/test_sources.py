"""Who stands behind a source, and how many of them are independent."""

from __future__ import annotations

import pytest

from selfstudy.gather.sources import independent, origin
from selfstudy.records import Evidence


def passage(source: str, text: str) -> Evidence:
    return Evidence(
        question_id="q",
        document_id=source,
        source=source,
        text=text,
        start=0,
        end=len(text),
        rank=0,
        relevance=1.0,
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("https://www.Example.org/a?b#c", "example.org"),
        ("HTTP://example.org:8080/", "example.org"),
        ("https://news.example.org/a", "news.example.org"),
        ("pages.jsonl#line 7", "pages.jsonl"),
        ("docs/Peru.txt", "docs/Peru.txt"),
        ("atlas:country/Peru", "atlas:country/Peru"),
        ("https://[broken", "https://[broken"),
    ],
)
def test_origin(source: str, found: str) -> None:
    assert origin(source) == found


def test_copies_and_pages_of_one_publisher_count_once() -> None:
    one = passage("https://a.example/1", "It is Lima.")
    assert independent([one]) == 1
    assert independent([one, passage("https://a.example/2", "Lima, it is said.")]) == 1
    assert independent([one, passage("https://b.example/1", "it is  LIMA.")]) == 1  # copied
    assert independent([one, passage("https://b.example/1", "Lima, it is said.")]) == 2
    assert independent([passage("p.jsonl#line 1", "One."), passage("p.jsonl#line 2", "Two.")]) == 1
    assert independent([passage("a.txt", "One."), passage("b.txt", "Two.")]) == 2
