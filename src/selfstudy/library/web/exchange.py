"""One request and the reply to it: over a connection of its own, to a checked address, within limits.

The connection goes to the very address that was looked at; the name is used for TLS and the Host header
alone, and is not resolved again.  No proxy is used, whatever the environment says: a proxy resolves names
itself, and nobody could say where a request ends up.  No cookie, no login and no Referer is sent.  A
connection serves one request, so nothing that comes behind a reply is taken for the next one.  Knows no
redirects, robots or caches.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpcore2

from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.media import FULL
from selfstudy.library.web.unpacking import ASKED_FOR, unpacked
from selfstudy.library.web.web_url import WebURL
from selfstudy.secrets import without_secrets

logging.getLogger("httpcore2").setLevel(logging.WARNING)  # it would log headers, in which a key may be

_TO_CONNECT = 10.0
"""Most seconds for one address, where there may be others."""
_HEADERS = (
    *("content-type", "location", "retry-after", "cache-control", "expires", "date", "age"),
    *("etag", "last-modified", "vary", "pragma"),
)
"""What is kept of a reply's headers; no cookie is among them."""
_LONGEST_HEADER = 10_000
AT = "x-selfstudy-at"
"""A header of our own: when a reply came, so that a cache can tell later."""
KEPT_HEADERS = (*_HEADERS, AT)


@dataclass(slots=True)
class Clock:
    """Seconds that are left for a page; they pass only while something is asked."""

    left: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reply may be.

    Attributes:
        largest: bytes of its body, unpacked.
        cut: whether of a longer one the start is taken; else it is refused.
        is_wanted: asked of the content type before a body is read.
    """

    clock: Clock
    largest: int
    cut: bool = False
    is_wanted: Callable[[str], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, some headers with lower-case names, and the body of a page, unpacked; others have b""."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The only header of that name; "" where there is none or more than one."""
        found = [value for one, value in self.headers if one == name]
        return found[0] if len(found) == 1 else ""

    @property
    def at(self) -> str:
        """When it came, or was last found unchanged: UTC, as 2026-11-28T17:20:00Z."""
        return self.header(AT)


@dataclass(frozen=True, slots=True)
class HTTPGet:
    """Asks: GET `url`, at one of `addresses`, with `headers` beside those that every request has."""

    url: WebURL
    addresses: Sequence[str]
    agent: str
    limits: Limits
    trust: ssl.SSLContext
    network: httpcore2.NetworkBackend
    headers: Iterable[tuple[str, str]] = field(default=(), repr=False)

    def reply(self) -> Reply:
        """What the server says.

        Raises:
            RefusedError: nothing, or nothing that is within the limits.
        """
        start = time.monotonic()
        clock = self.limits.clock
        path = _Path(self.network, self.addresses, start + clock.left)
        try:
            return self._asked(path)
        except RefusedError:
            raise
        except httpcore2.TimeoutException:
            raise RefusedError("time", f"{self.url.place} took longer than the time for one page") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, ValueError) as error:
            raise RefusedError("connection", f"{self.url.place}: {_said(error)}") from None
        finally:
            path.close()
            clock.left -= time.monotonic() - start

    def _asked(self, path: _Path) -> Reply:
        url = self.url
        where = httpcore2.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)
        connection = httpcore2.HTTPConnection(
            origin=where.origin, ssl_context=self.trust, network_backend=path
        )
        headers = [
            ("Host", url.place),
            ("User-Agent", self.agent),
            ("Accept-Encoding", ASKED_FOR),
            ("Connection", "close"),
            *self.headers,
        ]
        response = connection.handle_request(httpcore2.Request("GET", where, headers=headers))
        found = _headers(response.headers)
        reply = Reply(response.status, found, b"")
        if response.status not in FULL:
            return reply
        kind = reply.header("content-type")
        if not self.limits.is_wanted(kind):
            raise RefusedError("type", f"{url.place}: it is {without_secrets(kind[:80])!r}, no text")
        assert isinstance(response.stream, Iterable)
        coding = ", ".join(
            _text(value) for name, value in response.headers if name.lower() == b"content-encoding"
        )
        return Reply(response.status, found, self._body(iter(response.stream), coding))

    def _body(self, parts: Iterator[bytes], coding: str) -> bytes:
        largest = self.limits.largest
        found = bytearray()
        for piece in unpacked(_counted(parts, largest), coding):
            found += piece
            if len(found) > largest:
                if self.limits.cut:
                    break
                raise RefusedError("size", f"{self.url.place}: more than {largest:,} bytes")
        return bytes(found[:largest])


def _counted(parts: Iterator[bytes], largest: int) -> Iterator[bytes]:
    """Packed bytes: whoever sends far more of them than the body may have packs nothing."""
    seen = 0
    for part in parts:
        seen += len(part)
        if seen > 2 * largest + 2**16:
            raise RefusedError("size", f"more than {largest:,} bytes")
        yield part


def _headers(raw: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    found = [(name.lower().decode("latin-1"), _text(value)) for name, value in raw]
    kept = [(name, value) for name, value in found if name in _HEADERS and len(value) <= _LONGEST_HEADER]
    return [*kept, (AT, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))]


def _text(value: bytes) -> str:
    """A header's value; what no header should hold is left out."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return "".join(char for char in text if char.isprintable())


def _said(error: Exception) -> str:
    said = without_secrets(" ".join(str(error).split()))[:200]
    return said or type(error).__name__


class _Path(httpcore2.NetworkBackend):
    """The way to one server: its addresses, and until when all must be done."""

    def __init__(self, network: httpcore2.NetworkBackend, addresses: Sequence[str], end: float) -> None:
        self._network = network
        self._addresses = addresses
        self._end = end
        self._streams: list[httpcore2.NetworkStream] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        """A connection to the first address that takes one; `host` is not looked up."""
        for number, address in enumerate(self._addresses, start=1):
            left = self.left()
            try:
                most = left if number == len(self._addresses) else min(left, _TO_CONNECT)
                stream = _Timed(
                    self._network.connect_tcp(address, port, timeout=most, socket_options=[]), self
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if number == len(self._addresses):
                    raise
                continue
            self._streams.append(stream)
            return stream
        raise httpcore2.ConnectError("it has no address")

    def left(self) -> float:
        """Seconds until the end.

        Raises:
            httpcore2.ReadTimeout: there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout
        return left

    def close(self) -> None:
        for stream in self._streams:
            stream.close()


class _Timed(httpcore2.NetworkStream):
    """A connection on which nothing lasts longer than the whole may: a byte now and then does not help."""

    def __init__(self, inner: httpcore2.NetworkStream, path: _Path) -> None:
        self._inner = inner
        self._path = path

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._path.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._path.left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            self._inner = self._inner.start_tls(ssl_context, server_hostname, self._path.left())
        except httpcore2.ConnectError as error:
            cause = error.__cause__
            if not isinstance(cause, ssl.SSLError):
                raise
            why = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "TLS failed"
            raise RefusedError("tls", f"{server_hostname}: {str(why)[:200]}") from None
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
