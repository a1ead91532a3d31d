"""What documents become of pages, whatever the server says they are."""

from __future__ import annotations

import codecs
import gzip
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.library.parsing.documents import documents_of
from selfstudy.library.web.fetched import Fetched
from selfstudy.records import Document, Skipped

from ..pdfs import pdf

MILL = "The old mill by the river was built in 1908, and it has been a museum of the town since 1970."
PAGE = f"<html><head><title>The Mill</title></head><body><article><p>{MILL}</p></article></body></html>"


def fetched(
    body: bytes | str, kind: str = "text/html", status: int = 200, url: str = "https://a.example/m"
) -> Fetched:
    data = body.encode() if isinstance(body, str) else body
    digest = hashlib.sha256(data).hexdigest()
    return Fetched("https://a.example/asked", url, status, kind, data, digest, "2026-11-28T17:20:00Z")


def one(body: bytes | str, kind: str = "text/html", url: str = "https://a.example/m") -> Document:
    found = documents_of(fetched(body, kind, url=url))
    assert isinstance(found, list), found
    (document,) = found
    return document


def why_not(body: bytes | str, kind: str = "text/html", status: int = 200) -> str:
    found = documents_of(fetched(body, kind, status))
    assert isinstance(found, Skipped), found
    assert found.source == "https://a.example/m"
    return found.reason


def test_a_page_with_all_that_is_known_of_it() -> None:
    page = PAGE.replace("<title>", '<meta property="article:published_time" content="2024-05-01"><title>')
    found = one(page, url="https://a.example/final?x=1#part")
    assert (found.source, found.title, found.text) == ("https://a.example/final?x=1", "The Mill", MILL)
    assert (found.date, found.fetched) == ("2024-05-01", "2026-11-28T17:20:00Z")
    assert found.sha256 == hashlib.sha256(page.encode()).hexdigest()


RED = "Où est né René? À Besançon, près de l'île, à côté d'un café où l'on sert des crêpes. " * 3
PRIVET = "Мельница стоит у реки с тысяча девятьсот восьмого года, и теперь в ней музей города. " * 3


@pytest.mark.parametrize(
    ("text", "encoding", "header", "meta"),
    [
        (RED, "utf-8", "", ""),
        (RED, "utf-8", "charset=iso-8859-1", ""),  # the header is wrong, and the bytes say so
        (RED, "cp1252", 'charset="windows-1252"', ""),
        (RED, "cp1252", "", "windows-1252"),
        (RED, "cp1252", "", ""),
        (RED, "cp1252", "charset=utf-8", ""),
        (PRIVET, "cp1251", "charset=windows-1251", ""),
        (PRIVET, "koi8-r", "", "koi8-r"),
        (PRIVET, "utf-16", "", ""),
        (PRIVET, "utf-16-le", "charset=utf-16le", ""),
        ("水車小屋は川のそばに立っています。" * 5, "shift_jis", "charset=Shift_JIS", ""),
        ("水車小屋は川のそばに立っています。" * 5, "iso2022_jp", "charset=iso-2022-jp", ""),
        ("水車小屋は川のそばに立っています。" * 5, "gb18030", "charset=no-such", "gb18030"),
    ],
)
def test_charsets(text: str, encoding: str, header: str, meta: str) -> None:
    page = f'<html><head><meta charset="{meta}"></head><body><p>{text}</p></body></html>'
    body = page.encode(encoding)
    assert one(body, f"text/html; {header}").text.split() == text.split()
    assert one(body if meta else text.encode(encoding), f"text/plain; {header}").text


@pytest.mark.parametrize("charset", ["punycode", "utf-7", "hex", "unicode_escape", "x" * 500, "\x00", "idna"])
def test_a_codec_that_is_no_charset_is_not_taken(charset: str) -> None:
    assert MILL in one(PAGE, f"text/html; charset={charset}").text
    assert "Caf" in one(b"<p>Caf\xe9 " + MILL.encode() + b"</p>", f"text/html; charset={charset}").text


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (PAGE, "application/rss+xml", "a feed"),
        ("<?xml version='1.0'?><rss version='2.0'><channel/></rss>", "text/xml", "a feed"),
        ("<feed xmlns='http://www.w3.org/2005/Atom'/>", "", "a feed"),
        ('{"a": 1}', "application/json; charset=utf-8", "application/json: data, no text"),
        ("<a/>", "application/xml", "application/xml: data"),
        ("\x89PNG", "image/png", "image/png: no text"),
        (gzip.compress(b"x", mtime=0), "application/gzip", "application/gzip: no text"),
        (b"\0\1\2" * 50, "", "binary data"),
        (b"\0\1\2" * 50, "text/plain", "binary data"),
        ("", "text/html", "an empty page"),
        (" \n", "text/plain", "an empty page"),
        ("<html><body></body></html>", "text/html", "no text"),
        (pdf([""]), "application/pdf", "a PDF of 1 pages without text"),
        (b"%PDF-1.4 broken", "text/html", "a damaged PDF"),
        (codecs.BOM_UTF8 + b" ", "text/plain", "no text"),
    ],
)
def test_what_is_no_document(body: bytes | str, kind: str, reason: str) -> None:
    assert why_not(body, kind).startswith(reason)


def test_a_status_that_brings_no_page() -> None:
    assert why_not(PAGE, status=404) == "HTTP 404, no page"


SCRIPTS = "<script>window.app = {};</script>" * 40


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (f"<form><input name=u><input type='password'></form><p>{MILL}</p>", "a login page"),
        ("<h1>Members</h1><p>Please sign in to read this article.</p>", "a login page"),
        (f"<body><div id=root>Loading</div>{SCRIPTS}</body>", "7 characters of text: the rest would be"),
        (f"<body><noscript>Please enable JavaScript.</noscript>{SCRIPTS}</body>", "no text: the rest would"),
        ("<p>You need to enable JavaScript to run this app.</p>", "a page that needs scripts"),
        ("<title>Just a moment...</title><p>Checking your browser.</p>", "a page that asks for a robot"),
        ("<h1>Access Denied</h1><p>You have no permission.</p>", "a page that refuses access"),
    ],
)  # fmt: skip
def test_pages_with_status_200_that_are_none(page: str, reason: str) -> None:
    assert why_not(page).startswith(reason)


def test_an_article_is_read_whatever_stands_beside_it() -> None:
    parts = (f"<p>In {1908 + i} {MILL} Access denied was its motto.</p>" for i in range(15))
    article = f"<article>{''.join(parts)}</article>"
    form = "<form><input type=password></form>"
    assert MILL in one(f"<html><body>{form}{article}{SCRIPTS}</body></html>").text
    assert one("<p>Lima is the capital of Peru.</p>").text == "Lima is the capital of Peru."


def test_plain_text_markdown_and_pdf() -> None:
    assert one(MILL, "text/plain", url="https://a.example/the%20mill.txt").title == "the mill"
    assert one(f"# The Mill\n\n{MILL}", "text/markdown").title == "The Mill"
    assert one(PAGE, "text/plain").text == MILL  # it is HTML, and the server does not know
    found = one(pdf([MILL], "The Mill", "D:20240501"), "application/octet-stream")
    assert (found.text, found.title, found.date) == (MILL, "The Mill", "2024-05-01")


def test_long_texts_are_several_documents() -> None:
    found = documents_of(fetched(f"{MILL}\n\n" * 100, "text/plain"), max_document=4000)
    assert isinstance(found, list)
    assert [document.source.rpartition("/")[2] for document in found] == ["m", "m#2", "m#3"]
    assert {document.fetched for document in found} == {"2026-11-28T17:20:00Z"}


@settings(max_examples=150, deadline=None)
@given(
    start=st.sampled_from([b"", b"<html>", b"%PDF-1.7\n", b"\xff\xfe", b"\x1b$B", b"<rss>", b"# ", b"<p>"]),
    body=st.binary(max_size=300),
    kind=st.sampled_from(["", "text/html", "text/plain", "application/pdf", "text/markdown; charset=utf-16"]),
    charset=st.text(max_size=20),
)
def test_any_bytes_of_any_type_are_survived(start: bytes, body: bytes, kind: str, charset: str) -> None:
    found = documents_of(fetched(start + body, f"{kind}; charset={charset}"))
    assert isinstance(found, Skipped) or all(document.text.strip() for document in found)
