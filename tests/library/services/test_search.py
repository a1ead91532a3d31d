"""What search engines reply, and what is made of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError, ModelError
from selfstudy.library.services.replies import NoReply
from selfstudy.library.services.search import ENGINES, Found, check_search, search
from selfstudy.library.web.fetch import Fetcher
from selfstudy.models.remote import permissions
from selfstudy.recipe.library import WebSource

from ..apis import JSON, Reply, Service, as_json, running

KEY = "q8Zk2Lw9Xv4Tn7"


@pytest.fixture
def web() -> Iterator[tuple[Service, Fetcher]]:
    with running() as found:
        yield found


@pytest.fixture
def _key(web: tuple[Service, Fetcher], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MY_KEY", KEY)
    with permissions.allowed([f"MY_KEY={web[0].host}"], None):
        yield


def block(engine: str, service: Service, **changes: Any) -> WebSource:
    keyed = bool(ENGINES[engine].key_name)
    fields: dict[str, Any] = {"api_key_env": "MY_KEY"} if keyed else {}
    fields |= {"engine_id": "cx1"} if engine == "google" else {}
    return WebSource(engine=engine, url=f"{service.url}/search", **{**fields, **changes})  # type: ignore[arg-type]


def results(engine: str, pages: list[dict[str, Any]]) -> dict[str, Any]:
    """A reply of an engine, as its documentation shows it, with pages of url, title and text."""
    names = ENGINES[engine].fields
    shaped = [dict(zip(names, (page["url"], page["title"], page["text"]), strict=True)) for page in pages]
    return {
        "searxng": {"query": "q", "number_of_results": 0, "results": shaped, "unresponsive_engines": []},
        "serpapi": {"search_metadata": {"status": "Success"}, "organic_results": shaped},
        "google": {"kind": "customsearch#search", "searchInformation": {}, "items": shaped},
        "brave": {"type": "search", "query": {"original": "q"}, "web": {"type": "search", "results": shaped}},
    }[engine]


PAGES = [
    {"url": "https://a.example/one#top", "title": "The <b>Mill</b>", "text": "It &amp; the\nriver"},
    {"url": "https://b.example/two", "title": "Quay", "text": "By the sea"},
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.usefixtures("_key")
def test_results_of_each_engine(engine: str, web: tuple[Service, Fetcher]) -> None:
    service, fetcher = web
    service.answers["/search"] = as_json(results(engine, PAGES))
    assert search(block(engine, service), "Where is\nthe mill?", fetcher) == [
        Found("https://a.example/one", "The Mill", "It & the river"),
        Found("https://b.example/two", "Quay", "By the sea"),
    ]
    (asked,) = service.asked
    assert asked.parameters["q"] == "Where is the mill?"
    place = {
        "serpapi": asked.parameters.get("api_key"),
        "google": asked.parameters.get("key"),
        "brave": asked.headers.get("x-subscription-token"),
    }
    assert place.get(engine, KEY) == KEY
    assert engine == "searxng" or KEY not in repr(place | {engine: ""})  # nowhere else


NOTHING: dict[str, dict[str, Any]] = {
    "searxng": {"query": "q", "results": [], "unresponsive_engines": []},
    "serpapi": {
        "search_metadata": {"status": "Success"},
        "search_information": {"organic_results_state": "Fully empty"},
        "error": "Google hasn't returned any results for this query.",
    },
    "google": {"kind": "customsearch#search", "searchInformation": {"totalResults": "0"}},
    "brave": {"type": "search", "query": {"original": "q"}},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.usefixtures("_key")
def test_nothing_found_is_no_error(engine: str, web: tuple[Service, Fetcher]) -> None:
    service, fetcher = web
    service.answers["/search"] = as_json(NOTHING[engine])
    assert search(block(engine, service), "Who?", fetcher) == []


@pytest.mark.parametrize(
    ("engine", "reply", "kind", "said"),
    [
        ("searxng", as_json({"results": [], "unresponsive_engines": [["bing", "time"]]}), "broken", "bing"),
        ("searxng", Reply(b"Forbidden", "text/html", 403), "refused", "search.formats"),
        ("searxng", Reply(b"<!doctype html><title>Log in", "text/html"), "refused", "a web page"),
        ("searxng", as_json({"answers": []}), "broken", "without results (it has answers)"),
        ("searxng", as_json([1]), "refused", "a list"),
        ("searxng", Reply(b'{"results": [', JSON), "refused", "no JSON"),
        ("searxng", Reply(b"[" * 100_000, JSON), "refused", "no JSON"),
        ("serpapi", as_json({"error": "Your account has run out of searches."}), "quota", "run out"),
        ("serpapi", as_json({"error": "Invalid API key."}), "refused", "Invalid API key"),
        ("serpapi", as_json({"search_metadata": {"status": "Error"}, "error": "Oh."}), "refused", "Oh."),
        ("serpapi", Reply(b"{}", JSON, 401), "refused", "check the key"),
        ("google", as_json({"error": {"code": 429, "message": "Quota exceeded"}}), "quota", "Q"),
        ("google", as_json({"error": {"errors": [{"reason": "dailyLimitExceeded"}]}}), "quota", "daily"),
        ("google", Reply(b"{}", JSON, 403), "refused", "quota"),
        ("google", Reply(b"{}", JSON, 400), "broken", "engine_id"),
        ("brave", as_json({"type": "ErrorResponse", "error": {"code": "RATE_LIMITED"}}), "quota", "RATE"),
        ("brave", Reply(b"{}", JSON, 429, {"Retry-After": "0"}), "quota", "429"),
        ("brave", Reply(b"{}", JSON, 500), "broken", "try again later"),
        ("brave", as_json({"web": {"results": "none"}}), "broken", "without results"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("_key")
def test_failures_say_what_to_do(
    engine: str, reply: Reply, kind: str, said: str, web: tuple[Service, Fetcher]
) -> None:
    service, fetcher = web
    service.answers["/search"] = reply
    found = search(block(engine, service), "Who?", fetcher)
    assert isinstance(found, NoReply)
    assert (found.kind, said in str(found)) == (kind, True), found
    assert found.hint


@pytest.mark.usefixtures("_key")
def test_hostile_results_are_bounded_and_filtered(web: tuple[Service, Fetcher]) -> None:
    service, fetcher = web
    urls: list[Any] = [
        *(
            "javascript:alert(1)",
            "file:///etc/passwd",
            "ftp://a.example/",
            "https://",
            "https://u:p@a.example/",
        ),
        *("//a.example/", "https://a.example/\nb", None, 7, {"a": 1}, "https://x.example/" + "a" * 100_000),
    ]
    pages = [{"url": url, "title": None, "text": ["x"]} for url in urls]
    pages += [{"url": f"https://a.example/{i % 40}", "title": "t" * 2500, "text": ""} for i in range(2000)]
    service.answers["/search"] = as_json(results("searxng", pages) | {"more": ["x"]})
    found = search(block("searxng", service, results=500), "Who?", fetcher)
    assert isinstance(found, list)
    assert len(found) <= 41
    assert all(one.url.startswith("https://") and len(one.title) <= 500 for one in found)
    assert not [one for one in found if "u:p" in one.url]
    service.answers["/search"] = as_json({"results": [7, None, "x", [], {}]})
    assert search(block("searxng", service), "Who?", fetcher) == []


def test_a_question_is_cut(web: tuple[Service, Fetcher]) -> None:
    service, fetcher = web
    service.answers["/search"] = as_json(results("searxng", []))
    for question in ("word " * 1000, "x" * 100_000, "\x1b[31m two\0", "\ud800?"):
        search(block("searxng", service), question, fetcher)
    first, second, third, _ = (one.parameters["q"] for one in service.asked)
    assert (len(first.split()), len(second), third) == (50, 400, "two")
    assert search(block("searxng", service), " \n", fetcher) == []
    assert len(service.asked) == 4


def test_a_key_goes_to_no_host_that_the_user_has_not_named(
    web: tuple[Service, Fetcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, fetcher = web
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI7")
    with pytest.raises(ModelError, match="was not sent"):
        search(block("brave", service), "Who?", fetcher)
    # the service's own address, but not the variable for it: a stranger's recipe may name any
    with pytest.raises(ModelError, match="was not sent"):
        check_search(WebSource(engine="brave", api_key_env="AWS_SECRET_ACCESS_KEY"))
    assert not service.asked
    monkeypatch.setenv("BRAVE_API_KEY", KEY)
    check_search(WebSource(engine="brave", api_key_env="BRAVE_API_KEY"))


@pytest.mark.parametrize("value", ["", "  ", "ab", "two words here", "k\u00e9y-is-odd", "a\nbcdefgh"])
def test_a_variable_without_a_key(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAVE_API_KEY", value)
    with pytest.raises(DataError, match="BRAVE_API_KEY") as caught:
        check_search(WebSource(engine="brave", api_key_env="BRAVE_API_KEY"))
    assert value.strip() == "" or value not in str(caught.value)


@pytest.mark.usefixtures("_key")
def test_a_key_that_is_echoed_is_in_no_message(web: tuple[Service, Fetcher]) -> None:
    service, fetcher = web
    service.answers["/search"] = as_json({"error": f"Invalid API key {KEY}. See {service.url}?api_key={KEY}"})
    found = search(block("serpapi", service), "Who?", fetcher)
    assert isinstance(found, NoReply)
    assert "Invalid API key" in str(found)
    assert KEY not in str(found)


def test_ddgs_is_named_where_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ddgs", None)
    with pytest.raises(DataError, match="pip install ddgs"):
        check_search(WebSource(engine="ddgs"))


DDGS = """
class DDGSException(Exception): ...
class RatelimitException(DDGSException): ...
class DDGS:
    def text(self, query, max_results):
        if "limit" in query: raise RatelimitException("202 Ratelimit")
        if "nothing" in query: raise DDGSException("No results found.")
        if "broken" in query: raise DDGSException("could not decode")
        return [{"href": "https://a.example/", "title": "A", "body": query}] * max_results
"""


def test_ddgs_as_its_documentation_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web: tuple[Service, Fetcher]
) -> None:
    (tmp_path / "ddgs.py").write_text(DDGS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ddgs", raising=False)
    source, fetcher = WebSource(engine="ddgs"), web[1]
    check_search(source)
    assert search(source, "Who?", fetcher) == [Found("https://a.example/", "A", "Who?")]
    assert search(source, "nothing", fetcher) == []
    kinds = [getattr(search(source, one, fetcher), "kind", "") for one in ("limit", "broken")]
    assert kinds == ["quota", "unreachable"]
    monkeypatch.delitem(sys.modules, "ddgs")
