"""Titles of feeds, well made and otherwise."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.library.services.trends import distinct_topics, feed_file, feed_titles, trending

from ..apis import Reply, running

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:ht="https://trends.example/" xmlns:media="http://a.example/mrss/">
<channel><link>https://a.example</link>
<item><media:title>Picture</media:title><title>Lima &amp;amp; Callao</title><ht:t>200+</ht:t></item>
<item><title><![CDATA[<b>Fiji</b> rugby]]></title></item>
<item><title>lima &amp; callao!</title></item>
<item><title>  </title></item><item><link>x</link></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><title type="xhtml">
<div xmlns="http://www.w3.org/1999/xhtml">An <em>old</em> mill</div></title></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel><title>T</title></channel><item><title>Quay</title></item></rdf:RDF>"""


@pytest.mark.parametrize(
    ("feed", "titles"),
    [
        (RSS, ["Lima & Callao", "Fiji rugby"]),
        (ATOM, ["An old mill"]),
        (RDF, ["Quay"]),
        (
            "\n <rss><channel><item><title>Two &nbsp; words & more</title></item><item><title>Torn",
            ["Two words  more"],
        ),
        (
            "<rss><channel><item><title>\x01 R\u00e9d\u200b</title></item></channel></rss>",
            ["R\u00e9d\u200b"],
        ),
    ],
)
def test_titles_of_each_kind_of_feed(feed: str, titles: list[str], tmp_path: Path) -> None:
    found = feed_titles(feed.encode(), "here")
    assert [" ".join(one.split()) for one in found[: len(titles)]] == [
        " ".join(one.split()) for one in titles
    ]
    path = tmp_path / "feed.rss"
    path.write_text(feed)
    assert feed_file(path) == found


def test_topics_are_distinct_short_and_new() -> None:
    long = "w" * 5000
    assert distinct_topics(["A tree", "the TREE", "tree.", "", long], ["Quay"]) == [
        "A tree",
        "w" * 197 + "...",
    ]
    assert distinct_topics(["quay", "???", "???"], ["Quay"]) == ["???"]


BOMB = (
    '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><rss><channel><item><title>&j;x</title></item></channel></rss>"
)
OUTSIDE = (
    '<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><item><title>&x;y</title></item>'
    "</channel></rss>"
)


def test_nothing_is_expanded_or_loaded() -> None:
    start = time.process_time()
    with pytest.raises(DataError, match="without titles"):
        feed_titles(BOMB.encode(), "here")
    assert feed_titles(OUTSIDE.encode(), "here") == ["y"]
    deep = b"<rss>" + b"<a>" * 200_000
    for body in (deep, b"<rss>" + b"<item><title>" * 100_000):
        with pytest.raises(DataError):
            feed_titles(body, "here")
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "body",
    [b"", b"plain", b"<html><title>Log in</title></html>", b"<rss/>", b"x" * 5_000_001, b"\0\1", b"{}"],
)
def test_what_is_no_feed_is_said(body: bytes) -> None:
    with pytest.raises(DataError, match=r"here: (no feed|a feed)"):
        feed_titles(body, "here")


def test_a_feed_of_a_site() -> None:
    with running() as (service, fetcher):
        service.answers["/feed"] = Reply(RSS.encode(), "application/rss+xml")
        assert trending(f"{service.url}/feed", fetcher) == ["Lima & Callao", "Fiji rugby"]
        with pytest.raises(DataError, match="was not fetched: HTTP 404"):
            trending(f"{service.url}/none", fetcher)


def test_a_long_namespace_is_refused_before_each_element_is_compared_with_it() -> None:
    feed = b"<rss xmlns='" + b"u" * 1_000_000 + b"'>" + b"<item><title>t</title></item>" * 400 + b"</rss>"
    with pytest.raises(DataError, match="a namespace of 1,000,000 characters"):
        feed_titles(feed, "here")
