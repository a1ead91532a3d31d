"""Documents of a page that was fetched, whatever it is: HTML, PDF, plain text; or why there are none.

A login form, a page that scripts would fill, a robot check: a server sends them with status 200, and as
evidence they would be read like any text.  It knows nothing of fetching, and nothing of what pages are for.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urldefrag, urlsplit

from selfstudy import secrets, text
from selfstudy.library.parsing import dates, pages, pdf, visible
from selfstudy.library.parsing.formats import MAX_RECORD, Text, UnusableError, decoded, markdown_title
from selfstudy.library.parsing.parser import ParserError
from selfstudy.library.parsing.parts import MAX_DOCUMENT, in_parts
from selfstudy.library.web.fetched import Fetched
from selfstudy.records import Document, Skipped

_CHARSET = re.compile(r"charset\s{0,5}=\s{0,5}[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_HTML = ("text/html", "application/xhtml+xml")
_TEXT = ("text/plain", "text/markdown", "text/x-markdown")
_FEEDS = ("application/rss+xml", "application/atom+xml", "application/rdf+xml")
_DATA = ("application/json", "application/ld+json", "application/xml", "text/xml", "text/csv")
_SNIFFED = 1_000
"""Bytes that tell what a page is."""
_IS_HTML = re.compile(rb"\s{0,1000}<(?:!doctype html|html|head|body)", re.IGNORECASE)
_IS_FEED = re.compile(rb"<(?:rss|feed|rdf:RDF)[\s>]")
_SHORT = 1_000
"""Characters; a longer text is an article, whatever stands beside it."""
_SHORTER = 200
_PASSWORD = re.compile("<input\\s[^<>]{0,500}type\\s{0,5}=\\s{0,5}[\"']?password", re.IGNORECASE)
_SCRIPT = re.compile(r"<script[\s>]", re.IGNORECASE)
_NO_ARTICLE = {
    "a login page": ("log in to continue", "sign in to continue", "please log in", "please sign in"),
    "a page that asks for a robot check": (
        *(
            "verify you are human",
            "verify that you are human",
            "are you a robot",
            "are not a robot",
            "captcha",
        ),
        *("checking your browser", "unusual traffic"),
    ),
    "a page that refuses access": ("access denied", "access to this page has been denied"),
    "a page that needs scripts, which are not run": (
        *("enable javascript", "requires javascript", "turn on javascript", "javascript is disabled"),
    ),
}
"""What short pages are that say so."""


def documents_of(fetched: Fetched, max_document: int = MAX_DOCUMENT) -> list[Document] | Skipped:
    """The documents of a page, more than one if its text is longer than `max_document` characters.

    Their source is where the page was, behind redirects, with `#2` for the second part; each has the date at
    which the page says it was changed or published, when it was fetched, and the hash of its bytes.
    """
    source = secrets.hide(text.clean(urldefrag(fetched.final_url).url))[: text.MAX_TITLE]
    try:
        item = _read(fetched)
    except (UnusableError, ParserError) as error:
        return Skipped(source=source, reason=error.what)
    found = list(in_parts(source, item, fetched, max_document))
    return found or Skipped(source=source, reason="no text")


def _read(fetched: Fetched) -> Text:
    """What is in a page, by what the server says it is, else by how it begins.

    Raises:
        UnusableError: nothing that is a document.
        ParserError: it takes too much to parse, or is damaged.
    """
    said, _, parameters = fetched.content_type.partition(";")
    kind = said.strip().lower()
    head = fetched.body[:_SNIFFED]
    charset = found[1] if (found := _CHARSET.search(parameters[:500])) else ""
    if not 200 <= fetched.status < 300:
        raise UnusableError(f"HTTP {fetched.status}, no page")
    if not fetched.body.strip():
        raise UnusableError("an empty page")
    if kind == "application/pdf" or head.startswith(b"%PDF-"):
        found_pdf = pdf.read_pdf(fetched.body)
        return Text(found_pdf.text, found_pdf.title, date=found_pdf.date)
    if kind in _FEEDS or (kind not in _HTML and _IS_FEED.search(head)):
        raise UnusableError("a feed: name its pages, or give it to probe.ask as a source of topics")
    if kind in _HTML or (kind in (*_TEXT, "") and _IS_HTML.match(head)):
        return _html(decoded(fetched.body, charset))
    if kind in _DATA:
        raise UnusableError(f"{kind}: data, no text; save what is text of it as .jsonl or .csv in a folder")
    if kind not in (*_TEXT, ""):
        raise UnusableError(f"{kind[:60]}: no text")
    plain = decoded(fetched.body, charset)
    name = PurePosixPath(unquote(urlsplit(fetched.final_url).path)).stem
    return Text(plain, markdown_title(plain[: text.MAX_TITLE]) if "markdown" in kind else name)


def _html(page: str) -> Text:
    if len(page) > MAX_RECORD:
        raise UnusableError(f"page of more than {MAX_RECORD:,} characters")
    title, found = pages.main_text(page)
    if why := _no_article(page, title, found):
        raise UnusableError(why)
    return Text(found, title, date=dates.page_date(page))


def _no_article(page: str, title: str, found: str) -> str:
    """Why the text of a page is none of its own; "" if it may be."""
    if len(found) > _SHORT:
        return ""
    if _PASSWORD.search(page):
        return "a login page"
    seen = visible.read(page)[1]
    said = f"{title} {found if len(seen) > _SHORT else seen}".casefold()
    for kind, signs in _NO_ARTICLE.items():
        if any(sign in said for sign in signs):
            return kind
    if len(found) < _SHORTER and len(page) > 20 * len(found) and _SCRIPT.search(page):
        size = f"{len(found)} characters of text" if found.strip() else "no text"
        return f"{size}: the rest would be made by scripts, which are not run"
    return "" if found.strip() else "no text"
