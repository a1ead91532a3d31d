"""A search engine and a wiki that are asked, on loopback, by the real fetcher."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.library.fetch import Fetcher, open_fetcher
from selfstudy.library.lookups import WebSearch, WikiSearch
from selfstudy.library.page_tally import PageTally
from selfstudy.progress import Silent
from selfstudy.recipe import FetchBlock, WebSource, WikipediaSource

from .small_web import SmallWeb, small_web

UTOPIA, LAPUTA = "What is the capital of Utopia?", "What flies over Laputa?"


@pytest.fixture(scope="module")
def web() -> Iterator[SmallWeb]:
    with small_web() as web:
        yield web


def fetcher(web: SmallWeb, kept: Path | None = None, **more: Any) -> Fetcher:
    return open_fetcher(FetchBlock(**{**web.fetch, **more}), kept, cache=False)


def engine(web: SmallWeb, fetches: Fetcher, *, offline: bool = False) -> WebSearch:
    return WebSearch(WebSource(**web.source), fetches, Silent(), PageTally("searxng"), offline)


def test_pages_that_are_found_become_documents_and_the_others_are_told(web: SmallWeb, tmp_path: Path) -> None:
    web.asked.clear()
    with fetcher(web, tmp_path / "kept") as fetches:
        search = engine(web, fetches)
        first, none, again = search.look_up([UTOPIA, "Who knows?", LAPUTA])
        (document,) = first.documents
        assert document.source == f"{web.url}/Utopia"
        assert "Amaurot" in document.text
        assert document.date == "2025-03-01"
        assert len(document.sha256) == 64
        assert document.fetched.endswith("Z")
        (skipped,) = first.skipped
        assert skipped.source == f"{web.url}/missing"
        assert skipped.reason.startswith("not fetched (status): HTTP 404")
        assert none.error is None
        assert not none.documents
        assert again.skipped == first.skipped
        assert search.tally.line() == "searxng: 2 pages read, 1 not: status 1"
        search.look_up([UTOPIA + " Really?"])
        assert web.asked.count("/missing") == 1  # it was tried, and is not again
        assert web.asked.count("/Utopia") == 1  # it is kept
    with fetcher(web, tmp_path / "kept", offline=True) as fetches:
        asked = len(web.asked)
        offline = engine(web, fetches, offline=True)
        assert offline.look_up([UTOPIA])[0].documents == first.documents
        (never,) = offline.look_up(["Was this ever asked?"])
        assert "nothing is fetched offline" in str(never.error)
        assert len(web.asked) == asked


def test_what_all_further_questions_would_meet_stops_the_rest_is_an_error(web: SmallWeb) -> None:
    with fetcher(web) as fetches:
        web.refuses = 403
        with pytest.raises(DataError, match="searxng: HTTP 403") as caught:
            engine(web, fetches).look_up([UTOPIA])
        assert "give the same command again: what is done is kept" in caught.value.hint
        web.refuses = 500
        (looked,) = engine(web, fetches).look_up([UTOPIA])
        assert "HTTP 500" in str(looked.error)
        web.refuses = 200
        web.found["broken"] = ["/missing", "/missing2"]
        (looked,) = engine(web, fetches).look_up(["The broken one"])
        assert str(looked.error).startswith(f"none of its 2 pages could be read, such as {web.url}/missing")
        assert len(looked.skipped) == 2


def test_a_wiki_that_is_none_says_so(web: SmallWeb) -> None:
    with fetcher(web) as fetches:
        block = WikipediaSource(url=f"{web.url}/w/api.php")
        wiki = WikiSearch(block, "me@example.org", fetches, Silent(), PageTally("wikipedia"))
        with pytest.raises(DataError, match="HTTP 404"):
            wiki.look_up([UTOPIA])
        offline = WikiSearch(block, "me@example.org", fetches, Silent(), PageTally("wikipedia"), offline=True)
        assert "HTTP 404" in str(offline.look_up([UTOPIA])[0].error)
