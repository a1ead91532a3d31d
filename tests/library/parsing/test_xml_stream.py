"""XML, event by event.  What is hostile is in test_dump.py and test_sitemap.py, which read it."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from selfstudy.library.parsing.xml_stream import Event, XmlError, events

XML = b"<?xml version='1.0'?><a xmlns='x' xmlns:y='z'>1<y:b c='d'>t&amp;<!-- no -->u</y:b>2<b/></a>"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_events_do_not_depend_on_the_blocks(size: int) -> None:
    found = list(events([XML[i : i + size] for i in range(0, len(XML), size)], 100))
    assert found == [
        *(("start", "a", ""), ("start", "b", ""), ("end", "b", "t&u"), ("start", "b", ""), ("end", "b", "")),
        ("end", "a", "12"),
    ]


def test_what_came_before_a_fault_is_given() -> None:
    found: list[Event] = []
    with pytest.raises(XmlError, match="mismatched tag, line 1"):
        found.extend(events([b"<a><b>x</b></c>"], 100))
    assert ("end", "b", "x") in found


def test_long_texts_and_many_elements_take_little_memory() -> None:
    blocks = (b"<a>" if i == 0 else b"x" * 100_000 + b"<b/>" * 1000 for i in range(100))
    tracemalloc.start()
    with pytest.raises(XmlError):
        max(len(content) for _, _, content in events(blocks, 1000))
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_long_namespace_is_not_copied_for_each_element() -> None:
    document = b"<a xmlns='" + b"u" * 1_000_000 + b"'>" + b"<b/>" * 4000 + b"</a>"
    begin = time.process_time()
    assert sum(1 for _ in events([document], 100)) == 8002
    assert time.process_time() - begin < 1
