"""A web of our own on loopback: pages, and a search engine (SearXNG's replies) that finds them by a word."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FACTS = {
    "Utopia": "The capital of Utopia is Amaurot. It lies on the river Anyder.",
    "Lilliput": "The capital of Lilliput is Mildendo. Its people are six inches tall.",
    "Laputa": "The island Laputa flies. Its people think about mathematics and music.",
}


def page(title: str, text: str, date: str = "2025-03-01") -> bytes:
    return (
        f'<html><head><title>{title}</title><meta property="article:modified_time" content="{date}"></head>'
        f"<body><article><h1>{title}</h1><p>{text}</p></article></body></html>"
    ).encode()


@dataclass
class SmallWeb:
    """Attributes:
    pages: by path.
    found: paths that a search finds, by a word of the question.
    refuses: the status with which the engine answers instead, if not 200.
    asked: paths of all requests, with their queries, but for robots.txt.
    """

    pages: dict[str, bytes] = field(
        default_factory=lambda: {f"/{name}": page(name, text) for name, text in FACTS.items()}
    )
    found: dict[str, list[str]] = field(
        default_factory=lambda: {name.lower(): [f"/{name}", "/missing"] for name in FACTS}
    )
    refuses: int = 200
    asked: list[str] = field(default_factory=list)
    host: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def source(self) -> dict[str, Any]:
        """The block of a recipe."""
        return {"type": "web", "engine": "searxng", "url": self.url}

    @property
    def fetch(self) -> dict[str, Any]:
        return {"allow_hosts": [self.host], "delay": 0, "patience": 1, "timeout": 20}

    def answer(self, target: str) -> tuple[int, str, bytes]:
        parts = urlsplit(target)
        if parts.path == "/search":
            if self.refuses != 200:
                return self.refuses, "text/html", b"<html>no</html>"
            question = parse_qs(parts.query)["q"][0].lower()
            paths = [path for word, some in self.found.items() if word in question for path in some]
            results = [{"url": self.url + path, "title": path, "content": ""} for path in paths]
            return 200, "application/json", json.dumps({"results": results}).encode()
        if parts.path in self.pages:
            return 200, "text/html; charset=utf-8", self.pages[parts.path]
        return 404, "text/plain", b"no"


@contextmanager
def small_web() -> Iterator[SmallWeb]:
    web = SmallWeb()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/robots.txt":
                web.asked.append(self.path)
            status, kind, body = web.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.host = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
