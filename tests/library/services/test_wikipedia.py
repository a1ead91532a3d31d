"""Articles from an Action API of our own, asked through the real fetcher."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from selfstudy.errors import DataError
from selfstudy.library.services import wikipedia
from selfstudy.library.services.replies import NoReply
from selfstudy.library.services.wikipedia import articles, titles_found
from selfstudy.library.web.fetch import Fetcher
from selfstudy.recipe.library import WikipediaSource
from selfstudy.records import Document

from ..apis import Asked, Reply, Service, Wiki, as_json, running

API = "/w/api.php"
WHO = "a@example.org"
LIMA = (
    "{{Infobox settlement|name=Lima|founded={{start date|1535|1|18}}}}\n"
    "'''Lima''' is the [[capital city|capital]] "
    "of [[Peru]].<ref>{{cite web|url=x}}</ref> It lies {{convert|154|m|ft}} high.\n"
    "== History ==\nOld.\n[[Category:A]]"
)


@pytest.fixture
def wiki() -> Iterator[tuple[Service, Fetcher, WikipediaSource]]:
    with running() as (service, fetcher):
        service.answers[API] = Wiki({"Lima": LIMA, "Fiji": "An '''island''' nation.", "Oslo": "In Norway."})
        yield service, fetcher, WikipediaSource(url=service.url + API)


def test_articles_with_revision_date_and_hash(wiki: tuple[Service, Fetcher, WikipediaSource]) -> None:
    service, fetcher, block = wiki
    found = articles(block, ["Lima", "Fiji"], WHO, fetcher)
    lima, fiji = found.documents
    assert lima.source == "https://en.example.org/wiki/Lima?oldid=1001"
    assert (lima.title, lima.date, fiji.text) == ("Lima", "2024-05-01", "An island nation.")
    assert lima.text == (
        "name: Lima\nfounded: 1535-01-18\n\nLima is the capital of Peru. It lies 154 m high."
        "\n\nHistory\n\nOld."
    )
    assert len(lima.sha256) == 64
    assert lima.fetched.endswith("Z")
    (asked,) = service.asked
    assert asked.parameters["titles"] == "Lima|Fiji"
    assert (asked.parameters["maxlag"], asked.parameters["rvslots"]) == ("5", "main")
    assert WHO in asked.headers["user-agent"]


def test_nothing_is_asked_without_a_contact(wiki: tuple[Service, Fetcher, WikipediaSource]) -> None:
    service, fetcher, block = wiki
    for contact in (None, " "):
        with pytest.raises(DataError, match="wants to know who asks") as caught:
            articles(block, ["Lima"], contact, fetcher)
        assert "library.fetch.contact" in caught.value.hint
        with pytest.raises(DataError, match="wants to know who asks"):
            titles_found(block, ["Lima?"], contact, fetcher)
    assert not service.asked


def test_every_title_is_accounted_for(wiki: tuple[Service, Fetcher, WikipediaSource]) -> None:
    service, fetcher, block = wiki
    service.answers[API] = Wiki(
        {
            "Lima": LIMA,
            "Java": "{{disambig}} may be",
            "Project:Help": "x",
            "Void": "{{stub}}",
            "Oslo": "In Norway.",
        },
        redirects={"Ciudad de los Reyes": "Lima"},
    )
    titles = [
        "Oslo",
        "lima",
        "Ciudad_de_los_Reyes",
        "Nowhere",
        "a[b",
        "Java",
        "Project:Help",
        "Void",
        "x|y",
        "",
        "Oslo",
    ]
    found = articles(block, titles, WHO, fetcher)
    assert [one.title for one in found.documents] == ["Oslo", "Lima"]
    assert {one.source: one.reason.partition(":")[0] for one in found.skipped} == {
        "Ciudad_de_los_Reyes": "leads to Lima, which is there already",
        "Nowhere": "the wiki has no such article",
        "a[b": "no title of a wiki",
        "Java": "a page that lists the meanings of a word",
        "Project:Help": "no article, but a page of another namespace",
        "Void": "no text",
        "x|y": "no title of a wiki, or the reply does not mention it",
        "an empty title": "no title of a wiki, or the reply does not mention it",
    }
    assert len(service.asked) == 1


def test_many_titles_are_asked_in_batches_and_continued(
    wiki: tuple[Service, Fetcher, WikipediaSource],
) -> None:
    service, fetcher, block = wiki
    titles = [f"Town {i}" for i in range(45)]
    service.answers[API] = Wiki({title: f"{title} is a town." for title in titles}, at_once=8)
    done: list[int] = []
    found = articles(block, titles, WHO, fetcher, progress=done.append)
    assert [one.title for one in found.documents] == titles
    assert done == [20, 20, 5]
    assert len(service.asked) == 3 + 3 + 1
    assert max(len(one.parameters["titles"].split("|")) for one in service.asked) == 20


def test_titles_that_make_a_long_url_are_asked_apart(wiki: tuple[Service, Fetcher, WikipediaSource]) -> None:
    service, fetcher, block = wiki
    titles = [f"{'Ж' * 200} {i}" for i in range(9)]
    service.answers[API] = Wiki(dict.fromkeys(titles, "Да."))
    assert len(articles(block, titles, WHO, fetcher).documents) == 9
    assert len(service.asked) == 3


def test_a_batch_that_is_too_large_is_halved() -> None:
    with running(max_bytes=500_000) as (service, fetcher):
        titles = [f"Town {i}" for i in range(6)]
        service.answers[API] = Wiki({title: f"{title} is a town." for title in titles}, largest=2)
        block = WikipediaSource(url=service.url + API)
        assert [one.title for one in articles(block, titles, WHO, fetcher).documents] == titles
        service.answers[API] = Wiki({title: title for title in titles}, largest=0)
        found = articles(block, titles[:2], WHO, fetcher)
        assert not found.documents
        assert [one.source for one in found.skipped] == titles[:2]
        assert all("too large" in one.reason for one in found.skipped)


def test_a_wiki_that_lags_is_waited_for_and_given_up(wiki: tuple[Service, Fetcher, WikipediaSource]) -> None:
    service, fetcher, block = wiki
    waited: list[float] = []
    service.answers[API] = Wiki({"Lima": LIMA}, lagging=2)
    assert articles(block, ["Lima"], WHO, fetcher, wait=waited.append).documents
    assert waited == [7.2, 7.2]
    assert len(service.asked) == 3
    service.answers[API] = Wiki({"Lima": LIMA}, lagging=99)
    with pytest.raises(DataError, match="Waiting for db1"):
        articles(block, ["Lima"], WHO, fetcher, wait=waited.append)
    assert len(waited) == 2 + 3


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"<html>Please log in", "text/html"), "a web page"),
        (Reply(b'{"query": {"pages": [', "application/json"), "no JSON"),
        (Reply(b"busy", "text/plain", 429, {"Retry-After": "0"}), "429"),
        (Reply(b"no", "text/plain", 403), "403"),
    ],
)
def test_what_works_in_no_case_stops_at_once(
    reply: Reply, said: str, wiki: tuple[Service, Fetcher, WikipediaSource]
) -> None:
    service, fetcher, block = wiki
    service.answers[API] = reply
    with pytest.raises(DataError, match=said):
        articles(block, [f"Town {i}" for i in range(100)], WHO, fetcher)
    assert len(service.asked) <= 3


@pytest.mark.parametrize(
    "page",
    [
        *(
            {},
            {"title": 7},
            {"title": "Lima"},
            {"title": "Lima", "revisions": {}},
            {"title": "Lima", "revisions": [7]},
        ),
        {"title": "Lima", "revisions": [{"slots": []}]},
        {"title": "Lima", "revisions": [{"slots": {"main": {"content": ["x"]}}}]},
        {"title": "Lima", "revisions": [{"slots": {"main": {"content": "x", "contentmodel": "json"}}}]},
    ],
)
def test_replies_of_another_shape_are_survived(
    page: dict[str, object], wiki: tuple[Service, Fetcher, WikipediaSource]
) -> None:
    service, fetcher, block = wiki
    service.answers[API] = as_json({"query": {"pages": [page, None, 3], "normalized": [1], "redirects": {}}})
    found = articles(block, ["Lima"], WHO, fetcher)
    assert not found.documents
    assert [one.source for one in found.skipped] == ["Lima"]


def test_an_address_in_a_reply_is_no_link_to_anything(wiki: tuple[Service, Fetcher, WikipediaSource]) -> None:
    service, fetcher, block = wiki
    page = {"title": "A/b c", "canonicalurl": "javascript:alert(1)", "fullurl": 7}
    page["revisions"] = [{"revid": "7&x", "timestamp": "2999-01-01", "slots": {"main": {"content": "Text."}}}]
    service.answers[API] = as_json({"query": {"pages": [page]}})
    (found,) = articles(block, ["A/b c"], WHO, fetcher).documents
    assert (found.source, found.date) == (f"{service.url}/wiki/A/b_c", "")


def test_an_endless_continuation_ends(
    wiki: tuple[Service, Fetcher, WikipediaSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, fetcher, block = wiki
    monkeypatch.setattr(wikipedia, "_MOST_CONTINUED", 5)

    def answer(asked: Asked) -> Reply:
        return as_json({"query": {"pages": []}, "continue": {"rvcontinue": str(len(service.asked))}})

    service.answers[API] = answer
    assert not articles(block, ["Lima"], WHO, fetcher).documents
    assert len(service.asked) == 5


def test_an_article_that_takes_too_long_to_parse_is_skipped(
    wiki: tuple[Service, Fetcher, WikipediaSource],
) -> None:
    service, fetcher, block = wiki
    service.answers[API] = Wiki({"Bomb": "{{a|" * 6_000, "Lima": LIMA})
    found = articles(block, ["Bomb", "Lima"], WHO, fetcher)
    assert [one.title for one in found.documents] == ["Lima"]
    assert "the wikitext takes more than" in found.skipped[0].reason


def test_titles_by_question(wiki: tuple[Service, Fetcher, WikipediaSource]) -> None:
    service, fetcher, block = wiki
    block = block.model_copy(update={"results": 1})
    found = titles_found(block, ['"norway": (where)?', "zzz", " ", "x" * 5000], WHO, fetcher)
    assert found == [["Oslo"], [], [], []]
    assert [len(one.parameters["srsearch"]) <= 300 for one in service.asked] == [True] * 3
    assert service.asked[0].parameters["srsearch"] == "norway where ?"
    service.answers[API] = as_json({"batchcomplete": True})
    with pytest.raises(DataError, match="without `query`"):
        titles_found(block, [f"Who is {i}?" for i in range(20)], WHO, fetcher)


def test_a_question_that_fails_between_others_is_one_failure(
    wiki: tuple[Service, Fetcher, WikipediaSource],
) -> None:
    service, fetcher, block = wiki
    good = Wiki({"Oslo": "In Norway."})

    def answer(asked: Asked) -> Reply:
        return Reply(b"{}", status=500) if "odd" in asked.parameters["srsearch"] else good(asked)

    service.answers[API] = answer
    first, odd, last = titles_found(block, ["norway", "odd", "norway 2"], WHO, fetcher)
    assert (first, last) == (["Oslo"], ["Oslo"])
    assert isinstance(odd, NoReply)


def test_long_articles_are_several_documents(wiki: tuple[Service, Fetcher, WikipediaSource]) -> None:
    service, fetcher, block = wiki
    service.answers[API] = Wiki({"Long": "One sentence of it. " * 10_000})
    found: list[Document] = articles(block, ["Long"], WHO, fetcher).documents
    assert [one.source.rpartition("=")[2] for one in found] == ["1001", "1001#2", "1001#3"]
