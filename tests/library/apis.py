"""Services of our own on loopback, shaped as the public documentation of the real ones says.

A `Service` answers each path with what is set for it and writes down what it was asked.  `Wiki` is a small
Action API: batches, continuation, redirects, missing and invalid titles, lag.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from selfstudy.library.web.fetch import Fetcher, open_fetcher
from selfstudy.recipe.library import FetchBlock

JSON = "application/json; charset=utf-8"


@dataclass
class Asked:
    """One request."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]


@dataclass
class Reply:
    """One answer."""

    body: bytes
    kind: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Reply | Callable[[Asked], Reply]


def as_json(value: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode(), status=status)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who breaks off a reply that is too long does what is expected."""


class Service:
    """A server whose answers can be set; what is not there is a 404."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers)
                if parts.path != "/robots.txt":
                    service.asked.append(asked)
                answer = service.answers.get(parts.path, Reply(b"no", "text/plain", 404))
                reply = answer if isinstance(answer, Reply) else answer(asked)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.kind)
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def running(**changes: Any) -> Iterator[tuple[Service, Fetcher]]:
    """A service, and the real fetcher, which may ask it."""
    service = Service()
    block = FetchBlock(
        **{"allow_hosts": (service.host,), "delay": 0, "contact": "a@example.org", "patience": 1, **changes}
    )
    try:
        with open_fetcher(block, cache=False) as fetcher:
            yield service, fetcher
    finally:
        service.close()


@dataclass
class Wiki:
    """Pages by title, and how the wiki behaves.

    Attributes:
        redirects: of titles to titles.
        at_once: pages whose text one reply holds; the rest is continued.
        lagging: replies that say the databases lag, before one that answers.
        largest: pages of a batch beyond which the reply has a megabyte more.
    """

    pages: dict[str, str]
    redirects: dict[str, str] = field(default_factory=dict)
    at_once: int = 50
    lagging: int = 0
    largest: int = 50

    def __call__(self, asked: Asked) -> Reply:
        given = asked.parameters
        if self.lagging:
            self.lagging -= 1
            error = {
                "code": "maxlag",
                "info": "Waiting for db1: 7.2 seconds lagged.",
                "lag": 7.2,
                "type": "db",
            }
            return as_json({"error": error, "docref": "See api.php"})
        if given.get("list") == "search":
            return self._search(given)
        return self._pages(given)

    def _search(self, given: dict[str, str]) -> Reply:
        words = given["srsearch"].lower().split()
        found = [title for title, text in self.pages.items() if any(word in text.lower() for word in words)]
        found = found[: int(given["srlimit"])]
        results = [{"ns": 0, "title": title, "pageid": i} for i, title in enumerate(found, 1)]
        return as_json({"batchcomplete": True, "query": {"searchinfo": {"totalhits": 9}, "search": results}})

    def _pages(self, given: dict[str, str]) -> Reply:
        titles = given["titles"].split("|")
        if len(titles) > 50:
            return as_json(
                {"error": {"code": "toomanyvalues", "info": "Too many values supplied", "limit": 50}}
            )
        query: dict[str, list[dict[str, Any]]] = {"normalized": [], "redirects": [], "pages": []}
        wanted = []
        for title in titles:
            normal = title.replace("_", " ")
            normal = normal[:1].upper() + normal[1:]
            if normal != title:
                query["normalized"].append({"fromencoded": False, "from": title, "to": normal})
            if normal in self.redirects:
                query["redirects"].append({"from": normal, "to": self.redirects[normal], "tofragment": "Top"})
                normal = self.redirects[normal]
            if normal not in wanted:
                wanted.append(normal)
        start = int(given.get("rvcontinue", "0"))
        shown = wanted[start : start + self.at_once]
        query["pages"] = [self._page(title, title in shown) for title in wanted]
        whole: dict[str, Any] = {"query": {name: value for name, value in query.items() if value}}
        if start + self.at_once < len(wanted):
            whole["continue"] = {"rvcontinue": str(start + self.at_once), "continue": "||info|pageprops"}
        else:
            whole["batchcomplete"] = True
        if len(titles) > self.largest:
            whole["padding"] = "x" * 1_000_000
        return as_json(whole)

    def _page(self, title: str, with_text: bool) -> dict[str, Any]:
        if "[" in title:
            return {
                "title": title,
                "invalidreason": 'The requested page title contains "[".',
                "invalid": True,
            }
        if title not in self.pages:
            return {"ns": 0, "title": title, "missing": True}
        number = list(self.pages).index(title) + 1
        address = "https://en.example.org/wiki/" + title.replace(" ", "_")
        page: dict[str, Any] = {
            "pageid": number,
            "ns": 4 if title.startswith("Project:") else 0,
            "title": title,
        }
        page |= {"contentmodel": "wikitext", "fullurl": address, "canonicalurl": address}
        if "{{disambig}}" in self.pages[title]:
            page["pageprops"] = {"disambiguation": ""}
        if with_text:
            slot = {"contentmodel": "wikitext", "contentformat": "text/x-wiki", "content": self.pages[title]}
            revision = {"revid": 1000 + number, "parentid": 1, "timestamp": "2024-05-01T10:00:00Z"}
            page["revisions"] = [{**revision, "slots": {"main": slot}}]
        return page
