"""A search engine and a wiki that are asked, on loopback, by the real fetcher."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.library.excluded import Excluded
from selfstudy.library.searching import LookedUp
from selfstudy.library.services.lookups import WebSearch, WikiSearch, read_pages
from selfstudy.library.services.page_tally import PageTally
from selfstudy.library.services.wikipedia import articles
from selfstudy.library.web.fetch import Fetcher, open_fetcher
from selfstudy.progress import Silent
from selfstudy.recipe import FetchBlock, WebSource, WikipediaSource
from selfstudy.records import Skipped

from ..apis import Reply, Service, Wiki, as_json, running
from ..small_web import SmallWeb, page, small_web

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


def test_a_page_that_is_not_wanted_is_not_fetched_though_it_is_found(web: SmallWeb) -> None:
    web.asked.clear()
    with fetcher(web) as fetches:
        search = engine(web, fetches)
        search.without = Excluded([f"{web.url}/Utopia"])
        (found,) = search.look_up([UTOPIA])
    assert not found.documents
    assert "/Utopia" not in web.asked


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


def test_a_wiki_is_asked_question_by_question() -> None:
    with running() as (service, fetches):
        service.answers["/w/api.php"] = Wiki(
            {"Lima": "Lima is the capital of Peru.", "Peru": "{{disambig}} Peru"}
        )
        wiki = WikiSearch(
            WikipediaSource(url=f"{service.url}/w/api.php"),
            "me@example.org",
            fetches,
            Silent(),
            PageTally("wiki"),
        )
        together = wiki.look_up(["of Peru", "zebras", "Lima"])
        assert [[one.title for one in found.documents] for found in together] == [["Lima"], [], ["Lima"]]
        assert [len(found.skipped) for found in together] == [1, 0, 0]
        document = together[0].documents[0]
        assert document.date == "2024-05-01"
        assert "oldid=1001" in document.source
        assert document.sha256
        assert [found.error for found in together] == [None] * 3
        alone = [wiki.look_up([one])[0] for one in ("of Peru", "zebras", "Lima")]
        same = [[one.id for one in found.documents] for found in alone]
        assert same == [[one.id for one in found.documents] for found in together]
        assert wiki.tally.line() == "wiki: 1 page read, 1 not: a page that lists the meanings of a word 1"


def test_what_was_asked_with_a_key_is_found_again_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    found = {"web": {"results": [{"url": f"{service.url}/a", "title": "A", "description": ""}]}}
    service.answers = {"/api": as_json(found), "/a": Reply(page("A", "The zebra sleeps."), "text/html")}
    block = WebSource(engine="brave", url=f"{service.url}/api", api_key_env="MY_SEARCH_KEY")
    monkeypatch.setenv("MY_SEARCH_KEY", "a-key-of-brave-5161")
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", f"MY_SEARCH_KEY={service.host}")
    fetch = {"allow_hosts": (service.host,), "delay": 0}

    def look_up(*, offline: bool) -> LookedUp:
        with open_fetcher(FetchBlock(**fetch, offline=offline), tmp_path / "kept", cache=False) as fetches:
            search = WebSearch(block, fetches, Silent(), PageTally("brave"), offline)
            return search.look_up(["Does the zebra sleep?"])[0]

    try:
        online = look_up(offline=False)
        assert service.asked[0].headers["x-subscription-token"] == "a-key-of-brave-5161"
        assert len(online.documents) == 1
        monkeypatch.delenv("MY_SEARCH_KEY")
        assert look_up(offline=True) == online
        assert not any(b"5161" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    finally:
        service.close()


def test_a_wiki_that_is_none_says_so(web: SmallWeb) -> None:
    with fetcher(web) as fetches:
        block = WikipediaSource(url=f"{web.url}/w/api.php")
        wiki = WikiSearch(block, "me@example.org", fetches, Silent(), PageTally("wikipedia"))
        with pytest.raises(DataError, match="HTTP 404"):
            wiki.look_up([UTOPIA])
        offline = WikiSearch(block, "me@example.org", fetches, Silent(), PageTally("wikipedia"), offline=True)
        assert "HTTP 404" in str(offline.look_up([UTOPIA])[0].error)


def test_a_refusal_of_an_earlier_day_is_kept_and_asked_about_again(tmp_path: Path) -> None:
    """A busy wiki and a silent engine answer with status 200; the same command must get further."""
    service = Service()
    fetch = FetchBlock(allow_hosts=(service.host,), delay=0)
    wiki = WikipediaSource(url=f"{service.url}/w/api.php")
    found = {"results": [{"url": f"{service.url}/a", "title": "A", "content": ""}]}
    silent = as_json({"results": [], "unresponsive_engines": [["bing", "timeout"]]})
    service.answers = {
        "/w/api.php": Wiki({"Lima": "Lima is in Peru."}, lagging=4),
        "/search": silent,
        "/a": Reply(page("A", "The zebra sleeps."), "text/html"),
    }

    def session(*, offline: bool = False) -> tuple[list[str], LookedUp]:
        block = fetch.model_copy(update={"offline": offline})
        with open_fetcher(block, tmp_path / "kept", cache=False) as fetches:
            search = WebSearch(
                WebSource(engine="searxng", url=service.url), fetches, Silent(), PageTally("s")
            )
            (looked,) = search.look_up(["Does the zebra sleep?"])
            try:
                read = articles(wiki, ["Lima"], "a@example.org", fetches, wait=waited.append)
            except DataError as error:
                return [error.what], looked
            return [one.title for one in read.documents], looked

    waited: list[float] = []
    try:
        said, looked = session()
        assert "seconds lagged" in said[0]
        assert "its engines do not answer" in str(looked.error)
        assert len(waited) == 3
        service.answers["/search"] = as_json(found)
        said, looked = session()
        assert (said, len(looked.documents), len(waited)) == (["Lima"], 1, 3)
        asked = len(service.asked)
        assert session() == session(offline=True) == (said, looked)  # what has answered is not asked again
        assert len(service.asked) == asked
    finally:
        service.close()


def test_a_wiki_whose_articles_cannot_be_had_has_not_been_looked_up() -> None:
    with running() as (service, fetches):
        wiki = Wiki({"Lima": "Lima is the capital of Peru."})
        service.answers["/w/api.php"] = lambda asked: (
            wiki(asked) if "list" in asked.parameters else Reply(b"{}", "text/plain", 500)
        )
        block = WikipediaSource(url=f"{service.url}/w/api.php")
        search = WikiSearch(block, "me@example.org", fetches, Silent(), PageTally("wiki"))
        (looked,) = search.look_up(["Lima"])
        assert str(looked.error).endswith("such as Lima: wikipedia: HTTP 500")


def test_pages_for_which_there_was_no_room_are_read_with_fewer_beside_them(
    web: SmallWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfstudy.library.web.fetch.MOST_TOGETHER", 2 * len(web.pages["/Laputa"]))
    tally = PageTally("library")
    with fetcher(web) as fetches:
        urls = [f"{web.url}/{name}" for name in ("Utopia", "Lilliput", "Laputa")]
        found = read_pages(urls, fetches, Silent(), tally)
        assert [[one.title for one in some] for some in found if isinstance(some, list)] == [
            ["Utopia"],
            ["Lilliput"],
            ["Laputa"],
        ]
        assert tally.line() == "library: 3 pages read"
        monkeypatch.setattr("selfstudy.library.web.fetch.MOST_TOGETHER", 10)
        (alone,) = read_pages(urls[:1], fetches, Silent(), tally)
        assert isinstance(alone, Skipped)
