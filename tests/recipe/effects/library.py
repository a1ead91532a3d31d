"""Keys of a library: seen in the documents and addresses that it gives, and in what services are asked.

A service of our own on loopback stands for every host; the fetcher is the real one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpcore2
import pytest

from selfstudy.library.open import OpenLibrary
from selfstudy.library.services.search import search
from selfstudy.library.services.sitemap import addresses
from selfstudy.library.services.wikipedia import titles_found
from selfstudy.library.web.fetch import Fetcher, open_fetcher
from selfstudy.library.web.fetched import Fetched
from selfstudy.models.remote import permissions
from selfstudy.recipe import FetchBlock, FolderSource, LibraryBlock, UrlsSource, WebSource, WikipediaSource
from tests.library.apis import Asked, Reply, Service, Wiki, as_json
from tests.library.services.test_dump import HEAD, page

from . import Effect, rows
from .workshop import HOST, KEYS, OTHER_HOST, at_work, folder, or_said

INSIDE = "inside.test"
"""A host at a private address."""
CONTACT = "a@example.org"


@dataclass
class Net(httpcore2.NetworkBackend):
    """The way to that service, from any host; fulfils what the fetcher asks of a network.

    Attributes:
        timeouts: that connections were given.
        waits: that a fetcher would have waited for; it is told at once to go on.
    """

    service: Service
    timeouts: list[float | None] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> list[str]:
        return ["127.0.0.1" if host == INSIDE else "93.184.216.34"]

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        self.timeouts.append(timeout)
        here, _, port_here = self.service.host.partition(":")
        return httpcore2.SyncBackend().connect_tcp(here, int(port_here), timeout)

    def fetcher(self, patch: pytest.MonkeyPatch, block: FetchBlock) -> Fetcher:
        net = self

        class Waits(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                net.waits.append(timeout or 0.0)
                return self.is_set()

        with patch.context() as opening:
            opening.setattr(threading, "Event", Waits)
            return open_fetcher(block, resolve=self.resolve, network=self, cache=False)


@contextlib.contextmanager
def net(patch: pytest.MonkeyPatch) -> Iterator[Net]:
    """What there is on every host; keys may go there."""
    hosts = (HOST, OTHER_HOST)
    patch.setenv(permissions.HTTP, ",".join(hosts))
    patch.setenv(permissions.KEYS, ",".join(f"{key}={host}" for key in KEYS for host in hosts))
    for name, value in KEYS.items():
        patch.setenv(name, value)
    service = _service()
    service.asked.clear()
    yield Net(service)


@cache
def _service() -> Service:
    """One for all; it ends with the process."""
    service = Service()
    wiki = Wiki({name: f"{name} is an island." for name in ("Laputa", "Lilliput", "Utopia", "Balnibarbi")})
    service.answers |= {
        "/page": Reply(b"A page.", "text/plain"),
        "/large": Reply(b"x" * 1000, "text/plain"),
        "/moved": Reply(b"", status=302, headers={"Location": "/page"}),
        "/busy": _busy,
        "/search": as_json({"results": [{"url": f"http://{HOST}/{at}", "title": "x"} for at in range(6)]}),
        "/sitemap.xml": Reply(
            f"<urlset><url><loc>http://{HOST}/of-the-map</loc></url></urlset>".encode(), "text/xml"
        ),
        "/w/api.php": wiki,
    }
    return service


def _busy(asked: Asked) -> Reply:
    """Wants to be left alone for as long as some would wait."""
    return Reply(b"", status=503, headers={"Retry-After": "50"})


def fetched(block: FetchBlock) -> object:
    """What comes of some pages: how it ends, what servers are told, and how long is waited for what."""
    with at_work() as patch, net(patch) as web, web.fetcher(patch, block) as fetcher:
        places = (f"{INSIDE}/page", *(f"{HOST}/{name}" for name in ("page", "large", "moved", "busy")))
        found = fetcher.pages([f"http://{place}" for place in places])
        ends = ["had" if isinstance(one, Fetched) else (one.why, one.detail) for one in found]
        told = {one.headers["user-agent"] for one in web.service.asked}
        return ends, told, [time and time > 60 for time in web.timeouts], [time > 30 for time in web.waits]


def named(block: UrlsSource) -> object:
    """The pages that are to be fetched."""
    with at_work() as patch, net(patch) as web, web.fetcher(patch, FetchBlock(delay=0)) as fetcher:
        (folder() / "urls.txt").write_text(f"http://{HOST}/of-the-file\n")
        found = addresses(block, fetcher)
        return found.urls, found.notes


def searched(block: WebSource) -> object:
    """What an engine is asked, and what it finds."""
    how = FetchBlock(delay=0, allow_hosts=(HOST, OTHER_HOST))
    with at_work() as patch, net(patch) as web, web.fetcher(patch, how) as fetcher:
        found = search(block, "What is the capital of Utopia?", fetcher)
        return found, _asked(web)


def looked_up(block: WikipediaSource) -> object:
    """What a wiki is asked for a question, and the titles that it finds."""
    with at_work() as patch, net(patch) as web, web.fetcher(patch, FetchBlock(delay=0)) as fetcher:
        return titles_found(block, ["an island"], CONTACT, fetcher), _asked(web)


def _asked(web: Net) -> list[object]:
    ours = ("host", "x-subscription-token")
    return [(one.path, one.parameters, [one.headers.get(name) for name in ours]) for one in web.service.asked]


def read(block: FolderSource | WikipediaSource) -> object:
    """The documents of a source."""
    return given(LibraryBlock(sources=(block,), fetch=FetchBlock(delay=0, contact=CONTACT)))


def given(block: LibraryBlock) -> object:
    """The documents of a library, or why there are none; where what is fetched is fetched from there."""
    with at_work() as patch, net(patch) as web:
        for name, country in (("one", "Peru"), ("two", "Chile")):
            (folder() / f"{name}.txt").write_text(f"{country} is a country.")
            whole = HEAD + page(country, f"'''{country}''' is a country.") + "</mediawiki>"
            (folder() / f"{name}.xml").write_text(whole)
        with (
            web.fetcher(patch, block.fetch) as fetcher,
            contextlib.closing(OpenLibrary(block, fetches=fetcher)) as library,
        ):
            return or_said(lambda: [(one.title, one.text) for one in library.contents.documents])


def fetching(block: LibraryBlock) -> object:
    """Why a page of this machine is not had."""
    with at_work(), contextlib.closing(OpenLibrary(block)) as library:
        return or_said(lambda: library.contents.documents)


def indexed(block: LibraryBlock) -> object:
    """Whether the index can be read, where there are no credentials for object storage."""
    with at_work() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        return or_said(OpenLibrary(block).check_index)


def urls(*names: str) -> list[str]:
    return [f"http://{HOST}/{name}" for name in names]


ENGINE: dict[str, Any] = {"api_key_env": "ONE_KEY", "engine_id": "cx-1", "url": f"http://{HOST}"}
WIKI: dict[str, Any] = {"url": f"http://{HOST}/w/api.php"}
PAGE_HERE = {"type": "urls", "urls": ["http://127.0.0.1/page"]}
EFFECTS: dict[str, Effect] = {
    **rows("LibraryBlock", given, {"sources": ["one.txt"]}, sources=["one.txt", "two.txt"]),
    **rows("LibraryBlock", fetching, {"sources": [PAGE_HERE]}, fetch={"offline": True}),
    **rows("LibraryBlock", indexed, {"sources": ["one.txt"]}, index="s3://bucket/index"),
    **rows("FolderSource", read, {"path": "one.txt"}, path="two.txt"),
    **rows("UrlsSource", named, {"urls": urls("a", "b")}, urls=urls("c"), most=1),
    **rows("UrlsSource", named, {"urls": urls("a")}, file="urls.txt", sitemap=f"http://{HOST}/sitemap.xml"),
    **rows("WebSource", searched, {"engine": "searxng"} | ENGINE, url=f"http://{OTHER_HOST}", results=2),
    **rows("WebSource", searched, {"engine": "brave"} | ENGINE, engine="google", api_key_env="TWO_KEY"),
    **rows("WebSource", searched, {"engine": "google"} | ENGINE, engine_id="cx-2"),
    **rows("WikipediaSource", looked_up, WIKI, url=f"http://{OTHER_HOST}/w/api.php", results=1),
    **rows("WikipediaSource", read, WIKI | {"titles": ["Atlantis"]}, titles=["Lemuria"]),
    **rows("WikipediaSource", read, {"dump": "one.xml"}, dump="two.xml"),
    **rows("FetchBlock", fetched, {}, allow_hosts=[INSIDE], delay=60, contact=CONTACT, timeout=300),
    **rows("FetchBlock", fetched, {}, max_bytes=100, redirects=0, patience=40, offline=True),
}
"""By `Block.key`."""
