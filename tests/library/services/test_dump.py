"""Dumps of a wiki: XML exports, packed or not, and .zim files made by libzim itself."""

from __future__ import annotations

import bz2
import gzip
import time
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.library.services import dump
from selfstudy.library.services.dump import dump_articles
from selfstudy.recipe.library import WikipediaSource

HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en"><siteinfo>'
    "<sitename>Wikipedia</sitename><base>https://en.example.org/wiki/Main_Page</base></siteinfo>"
)


def page(title: str, text: str, ns: int = 0, more: str = "", number: int = 7) -> str:
    return (
        f"<page><title>{title}</title><ns>{ns}</ns><id>1</id>{more}<revision><id>{number}</id><parentid>3</parentid>"
        f"<timestamp>2024-05-01T10:00:00Z</timestamp><contributor><username>X</username><id>99</id></contributor>"
        f'<model>wikitext</model><format>text/x-wiki</format><text bytes="9">{text}</text></revision></page>'
    )


PAGES = [
    page("Lima", "'''Lima''' is the capital of [[Peru]].&lt;ref&gt;x&lt;/ref&gt;"),
    page("Lima, Peru", "#REDIRECT [[Lima]]", more='<redirect title="Lima" />'),
    page("Talk:Lima", "I disagree.", ns=1),
    page("Void", "{{stub}}"),
    page("Quay &amp; Mill", "It is old."),
]


def read(path: Path) -> Any:
    return dump_articles(WikipediaSource(dump=str(path)))


@pytest.mark.parametrize("suffix", [".xml", ".xml.gz", ".xml.bz2"])
def test_articles_of_an_export(suffix: str, tmp_path: Path) -> None:
    whole = (HEAD + "\n".join(PAGES) + "</mediawiki>").encode()
    pack = {".xml": bytes, ".xml.gz": gzip.compress, ".xml.bz2": bz2.compress}[suffix]
    path = tmp_path / f"wiki{suffix}"
    path.write_bytes(pack(whole))
    found = read(path)
    assert [(one.source, one.title, one.text, one.date) for one in found.documents] == [
        ("https://en.example.org/wiki/Lima?oldid=7", "Lima", "Lima is the capital of Peru.", "2024-05-01"),
        ("https://en.example.org/wiki/Quay_%26_Mill?oldid=7", "Quay & Mill", "It is old.", "2024-05-01"),
    ]
    assert [one.reason for one in found.skipped] == ["a redirect", "a page of another namespace", "no text"]


def test_the_last_revision_counts_and_what_is_not_listed_is_counted(tmp_path: Path) -> None:
    twice = PAGES[0].replace(
        "</page>",
        "<revision><id>8</id><timestamp>2025-01-02T00:00:00Z</timestamp><text>New.</text></revision></page>",
    )
    path = tmp_path / "w.xml"
    path.write_text(HEAD + twice + page("R", "#redirect [[Lima]]") * 50 + "</mediawiki>")
    found = read(path)
    (only,) = found.documents
    assert (only.text, only.date, only.source.rpartition("=")[2]) == ("New.", "2025-01-02", "8")
    assert len(found.skipped) == 20
    assert found.notes == ["w.xml: 50 pages were not used: a redirect"]


def test_more_articles_than_are_read_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "MOST_ARTICLES", 2)
    path = tmp_path / "w.xml"
    path.write_text(HEAD + "".join(page(f"T{i}", f"Text {i}.") for i in range(5)) + "</mediawiki>")
    found = read(path)
    assert len(found.documents) == 2
    assert "3 articles beyond the first 2 were left out" in found.notes[0]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><mediawiki><page><title>&j;</title></page></mediawiki>"
)
OUTSIDE = '<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]><mediawiki><page><title>&x;</title></page></mediawiki>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, "document type"),
        (OUTSIDE, "document type"),
        ("<a>" * 100_000, "more than 64 deep"),
        ("<rss></rss>", "a file of <rss>"),
        (HEAD + PAGES[0], "no valid XML"),
        ("plain text", "no valid XML"),
        (HEAD + "<page><title " + 'a="b" ' * 2_000_000, "a tag or comment of more than"),
        (HEAD + "</mediawiki>", "has no article"),
        ("\x00\x01", "no valid XML"),
        ('<?xml version="1.0" encoding="shift_jis"?><mediawiki/>', "encoding"),
    ],
    ids=["bomb", "outside", "deep", "feed", "torn", "text", "attributes", "empty", "binary", "encoding"],
)
def test_what_is_no_dump_is_refused_quickly(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "w.xml"
    path.write_text(content)
    start = time.process_time()
    with pytest.raises(DataError) as caught:
        read(path)
    assert said in str(caught.value)
    assert "/root:" not in str(caught.value)
    assert time.process_time() - start < 5


def test_a_page_that_is_too_long_is_skipped_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "w.xml.gz"
    path.write_bytes(
        gzip.compress((HEAD + page("Huge", "word " * 3_000_000) + PAGES[0] + "</mediawiki>").encode())
    )
    found = read(path)
    assert [one.title for one in found.documents] == ["Lima"]
    assert found.skipped[0].reason == "more than 4,000,000 characters"


@pytest.mark.parametrize("suffix", ["gz", "bz2"])
def test_a_packed_bomb_ends(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "_RATIO_FREE", 5_000_000)
    path = tmp_path / f"w.xml.{suffix}"
    pack = {"gz": gzip.compress, "bz2": bz2.compress}[suffix]
    path.write_bytes(pack(HEAD.encode() + b" " * 40_000_000))
    with pytest.raises(DataError, match="no dump is packed so well"):
        read(path)


@pytest.mark.parametrize("suffix", ["gz", "bz2"])
def test_a_torn_archive_says_so(suffix: str, tmp_path: Path) -> None:
    pack = {"gz": gzip.compress, "bz2": bz2.compress}[suffix]
    whole = pack((HEAD + "".join(PAGES) + "</mediawiki>").encode())
    for content in (whole[: len(whole) // 2], b"no archive", whole[:20] + b"\xff" * 20 + whole[40:]):
        path = tmp_path / f"w.xml.{suffix}"
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            read(path)
    with pytest.raises(DataError, match="No such file"):
        read(tmp_path / "absent.xml")


def zim(path: Path, pages: dict[str, str]) -> None:
    from libzim.writer import Creator, Hint, Item, StringProvider

    class Page(Item):  # type: ignore[misc]
        def __init__(self, name: str, kind: str, content: str) -> None:
            super().__init__()
            self.name, self.kind, self.content = name, kind, content

        def get_path(self) -> str:
            return self.name

        def get_title(self) -> str:
            return self.name.replace("_", " ")

        def get_mimetype(self) -> str:
            return self.kind

        def get_contentprovider(self) -> Any:
            return StringProvider(self.content)

        def get_hints(self) -> dict[Any, Any]:
            return {Hint.FRONT_ARTICLE: True}

    with Creator(path) as creator:
        for name, content in pages.items():
            creator.add_item(Page(name, "text/html", content))
        creator.add_item(Page("style.css", "text/css", "a {}"))
        creator.add_metadata("Date", "2024-05-01")
        creator.add_redirection("Ciudad", "Ciudad", next(iter(pages)), {})


def test_articles_of_a_zim_file(tmp_path: Path) -> None:
    path = tmp_path / "wiki.zim"
    body = "<p>Lima is the capital of Peru, and it is a very large city by the sea.</p>"
    zim(path, {"Lima": f"<html><body><article>{body}</article></body></html>", "Void": "<html></html>"})
    found = read(path)
    (only,) = found.documents
    assert (only.source, only.title, only.date) == ("wiki.zim#Lima", "Lima", "2024-05-01")
    assert only.text.startswith("Lima is the capital of Peru")
    assert {one.reason for one in found.skipped} == {"a redirect", "no text"}


def test_a_damaged_zim_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wiki.zim"
    for content in (b"", b"ZIM\x04" + b"\0" * 200, b"PK" * 500):
        path.write_bytes(content)
        with pytest.raises(DataError, match="zim"):
            read(path)
