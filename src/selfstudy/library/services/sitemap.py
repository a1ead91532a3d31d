"""Addresses of pages: a list, a file of them, and what a sitemap names (https://www.sitemaps.org/protocol.html).

A sitemap speaks for its own host alone: addresses of others in it are counted, and not fetched.  It knows
nothing of what is in the pages.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from selfstudy import text
from selfstudy.errors import DataError
from selfstudy.files import reading
from selfstudy.library.folder import MAX_LISTED
from selfstudy.library.parsing.xml_stream import XmlError, events
from selfstudy.library.web.fetched import Fetched, Fetches, NotFetched
from selfstudy.library.web.web_url import web_address
from selfstudy.recipe.library import UrlsSource
from selfstudy.records import Skipped

MOST_ADDRESSES, MOST_BYTES = 50_000, 50_000_000
"""Of one sitemap, unpacked: the protocol's own limits."""
MOST_SITEMAPS = 200
"""Of an index and what it names: a guess."""
_LONGEST = 2_048
_NO_ADDRESS = "no address of http or https"
_GZIP = b"\x1f\x8b"


@dataclass
class Addresses:
    """The pages that a block names, in order, each once; `left_out` counts those beyond its `most`."""

    urls: list[str] = field(default_factory=list)
    left_out: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def addresses(block: UrlsSource, fetches: Fetches) -> Addresses:
    """The addresses that a block names: its list, then its file, then its sitemap.

    Raises:
        DataError: the file cannot be read; the sitemap cannot be fetched or is none; or there is no address.
    """
    named = listed(block)
    found = Addresses()
    urls: dict[str, None] = {}
    for name in named:
        if url := web_address(name):
            urls[url] = None
        else:
            shown = text.one_line(text.clean(name), 200)
            found.skipped.append(Skipped(source=shown, reason=_NO_ADDRESS))
    if block.sitemap is not None:
        for url in _Sitemaps(block.sitemap, fetches, found, block.most - len(urls)).read():
            urls[url] = None
    found.urls = list(urls)[: block.most]
    found.left_out += len(urls) - len(found.urls)
    if found.left_out:
        found.notes.append(
            f"library: {found.left_out:,} addresses beyond the first {block.most:,} are left out"
        )
    if not found.urls:
        reasons = "; ".join(f"{one.source}: {one.reason}" for one in found.skipped[:5])
        raise DataError(
            f"library: a source of type urls names no page{f' ({reasons})' if reasons else ''}",
            "set `urls`, `file` or `sitemap`",
        )
    return found


def listed(block: UrlsSource) -> list[str]:
    """What its list and its file name; nothing is fetched.

    Raises:
        DataError: the file cannot be read.
    """
    return [*block.urls, *(_file_lines(Path(block.file)) if block.file is not None else [])]


def _file_lines(path: Path) -> list[str]:
    """Addresses, one a line; empty lines and comments are passed over."""
    try:
        content = reading.content(path).decode("utf-8-sig", "replace")
    except OSError as error:
        raise DataError(
            f"library: the file {path} cannot be read: {error.strerror}", "check `file`"
        ) from None
    lines = (line.strip() for line in content.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class _Sitemaps:
    """A sitemap, and those that it names."""

    def __init__(self, url: str, fetches: Fetches, found: Addresses, most: int) -> None:
        self._url = url
        self._host = urlsplit(web_address(url)).hostname  # as addresses are written here
        self._fetches = fetches
        self._found = found
        self._most = most
        self._others: Counter[str] = Counter()
        self._bad = 0

    def read(self) -> dict[str, None]:
        urls: dict[str, None] = {}
        queue, done = [self._url], 0
        seen = {self._url}
        while queue and done < MOST_SITEMAPS and len(urls) <= self._most:
            url = queue.pop(0)
            done += 1
            is_first = url == self._url
            try:
                kind, named = read_sitemap(self._fetched(url))
            except XmlError as error:
                if is_first:
                    raise DataError(
                        f"library: {url} is no sitemap: {error.what}",
                        "check `sitemap`; robots.txt often names it",
                    ) from None
                self._found.skipped.append(Skipped(source=url, reason=error.what))
                continue
            for one in self._own(named):
                if kind == "index" and one not in seen:
                    seen.add(one)
                    queue.append(one)
                elif kind == "pages":
                    urls[one] = None
        if queue:
            self._found.notes.append(f"library: {len(queue):,} sitemaps below {self._url} were not read")
        if self._others:
            hosts = ", ".join(host for host, _ in self._others.most_common(3))
            count = sum(self._others.values())
            self._found.skipped.append(
                Skipped(
                    source=self._url,
                    reason=f"{count:,} addresses of other hosts ({hosts}): list them in urls",
                )
            )
        if self._bad > MAX_LISTED:
            more = f"{self._bad - MAX_LISTED:,} more of what it names: {_NO_ADDRESS}"
            self._found.skipped.append(Skipped(source=self._url, reason=more))
        return urls

    def _fetched(self, url: str) -> bytes:
        (page,) = self._fetches.pages([url])
        if isinstance(page, NotFetched):
            if url == self._url:
                raise DataError(
                    f"library: the sitemap {url} was not fetched: {page.detail}", "check `sitemap`"
                )
            raise XmlError(page.detail)
        assert isinstance(page, Fetched)
        return page.body

    def _own(self, named: list[str]) -> Iterator[str]:
        for name in named:
            url = web_address(name)
            host = urlsplit(url).hostname
            if url and host == self._host:
                yield url
            elif url:
                self._others[str(host)] += 1
            else:
                self._bad += 1
                if self._bad <= MAX_LISTED:
                    shown = text.one_line(text.clean(name), 200)
                    self._found.skipped.append(Skipped(source=shown, reason=_NO_ADDRESS))


def read_sitemap(body: bytes) -> tuple[str, list[str]]:
    """("pages" or "index", addresses) of a sitemap: XML, or text with an address a line; gzip is undone.

    Raises:
        XmlError: it is neither, or larger than a sitemap may be.
    """
    body = _unpacked(body)
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        lines = body.decode("utf-8-sig", "replace").split()
        if not lines or not web_address(lines[0]):
            raise XmlError("neither XML nor a list of addresses")
        return "pages", lines[:MOST_ADDRESSES]
    kind = ""
    found: list[str] = []
    above: list[str] = []
    for event, name, content in events([body.lstrip()], _LONGEST):
        if event == "start":
            kind = kind or {"urlset": "pages", "sitemapindex": "index"}.get(name, "")
            if not kind:
                raise XmlError(f"a file of <{name[:40]}>")
            above.append(name)
            continue
        above.pop()
        if name == "loc" and above[-1:] in (["url"], ["sitemap"]) and content.strip():  # images have one too
            found.append(content.strip())
            if len(found) == MOST_ADDRESSES:
                break
    return kind, found


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(_GZIP):
        if len(body) > MOST_BYTES:
            raise XmlError(f"more than {MOST_BYTES:,} bytes")
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        found = unpacker.decompress(body, MOST_BYTES + 1)
    except zlib.error:
        raise XmlError("a damaged .gz") from None
    if len(found) > MOST_BYTES:
        raise XmlError(f"more than {MOST_BYTES:,} bytes, unpacked")
    return found
