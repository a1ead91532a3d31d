"""Replies that may be used again (RFC 9111, by hishel), in one file of the user's cache folder.

Holds what was within our limits and carried no key; and what came from a host that the user had allowed apart
from the rest, for whoever allows it too.  A cache never stops a run.  Knows nothing of pages.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from selfstudy.files import private
from selfstudy.files.cache import USER_LIMIT, cache_folder
from selfstudy.library.web.exchange import KEPT_HEADERS, Limits, Reply
from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.unpacking import ASKED_FOR
from selfstudy.library.web.web_url import WebURL

if TYPE_CHECKING:
    import hishel
    import httpx2

log = logging.getLogger(__name__)
logging.getLogger("hishel").setLevel(logging.CRITICAL)  # it logs tracebacks, with what it could not keep

Send = Callable[[list[tuple[str, str]]], Reply]
"""Asks the server, with these headers beside the usual ones."""

FILE = "pages.sqlite"
_CONDITIONS = ("if-none-match", "if-modified-since")
"""Headers by which a cache asks whether what it has is still true."""
_UNCHANGED = 304


class PageCache:
    """An open cache.

    Args:
        stale: whether what is too old is used where its server cannot be asked.
    """

    def __init__(self, storage: hishel.BaseStorage, *, stale: bool) -> None:
        import hishel

        self._storage = storage
        self._options = hishel.CacheOptions(shared=False, supported_methods=["GET"], allow_stale=stale)

    def reply(
        self,
        url: WebURL,
        limits: Limits,
        send: Send,
        *,
        trusted: bool,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """What a server says, or said.

        Args:
            headers: what `send` tells the server of us; a reply may be for these alone (Vary).

        Raises:
            RefusedError: by `send`; or what is kept is larger than `limits` allow.
        """
        import httpx2
        from hishel.httpx2 import CacheTransport

        key = hashlib.sha256(f"{'allowed' if trusted else 'public'} {url.text}".encode()).hexdigest()
        request = httpx2.Request(
            "GET",
            url.text,
            headers=[("Accept-Encoding", ASKED_FOR), *headers],
            extensions={"caching": {"key": key}},
        )
        server = _Server(send, limits)
        transport = CacheTransport(
            cast("httpx2.BaseTransport", server), storage=self._storage, rfc=self._options
        )
        try:
            response = transport.handle_request(request)
            return _reply(response, limits, url)
        except (RuntimeError, ValueError, ArithmeticError, TypeError, LookupError) as error:
            # closed, or deleted by another process while it was read; or headers that nobody foresaw
            log.info("the cache of pages: %s", error)
            return server.last or send([])

    def close(self) -> None:
        self._storage.close()


class _Server:
    """A transport, as hishel asks one."""

    def __init__(self, send: Send, limits: Limits) -> None:
        self._send = send
        self._limits = limits
        self.last: Reply | None = None
        """What it said, unless that was that nothing has changed."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        import httpx2

        conditions = [(name, request.headers[name]) for name in _CONDITIONS if name in request.headers]
        reply = self._send(conditions)
        self.last = None if reply.status == _UNCHANGED else reply
        headers = [(name.encode(), value.encode()) for name, value in reply.headers]
        if self._limits.cut and len(reply.body) >= self._limits.largest:  # the start of it is not the page
            headers = [(name, value) for name, value in headers if name != b"cache-control"]
            headers.append((b"cache-control", b"no-store"))
        return httpx2.Response(reply.status, headers=headers, content=reply.body)

    def close(self) -> None:
        """There is nothing to close."""


def _reply(response: httpx2.Response, limits: Limits, url: WebURL) -> Reply:
    body = bytearray()
    stream: Any = response.stream
    assert isinstance(stream, Iterable)
    for part in stream:  # to its end, or nothing is kept
        if len(body) <= limits.largest:
            body += part
    if len(body) > limits.largest and not limits.cut:
        raise RefusedError("size", f"{url.place}: more than {limits.largest:,} bytes")
    headers = [(name, value) for name, value in response.headers.multi_items() if name in KEPT_HEADERS]
    return Reply(response.status_code, headers, bytes(body[: limits.largest]))


def open_cache(*, stale: bool, path: Path | None = None) -> PageCache | None:
    """The user's cache, or the one at `path`; None, with a warning, where there can be none."""
    import hishel

    path = path or cache_folder() / FILE
    try:
        private.make_folder(path.parent)
        os.close(private.open_file(path, os.O_RDONLY | os.O_CREAT))
        private.close(path, path.lstat())
        # opened here: hishel would make folders and files that others can read
        connection = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
        storage = hishel.SqliteStorage(connection=connection, max_size=USER_LIMIT)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        storage.get_entries("")
    except (sqlite3.Error, OSError, RuntimeError) as error:
        log.warning(
            "the cache %s cannot be used (%s): pages are fetched again; it may be deleted", path, error
        )
        return None
    return PageCache(storage, stale=stale)
