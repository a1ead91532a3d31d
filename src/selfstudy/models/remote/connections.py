"""Connections to one server: httpx's transport, its way there, which headers go, how long a reply may be.

No proxy stands between this machine and itself, whatever the environment says; where it names one for other
hosts, that one is used.  A reply is read whole, which is enough for an API without streaming, and unpacked at
most as far as it may be long.  What comes behind a reply is no answer to the next request: the connection is
closed.  Knows nothing of what is asked.
"""

from __future__ import annotations

import ipaddress
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from selfstudy.errors import ModelError

LONGEST_REPLY = 64 * 2**20
"""Bytes, packed and unpacked; a server that sends more is broken, and memory is not for it."""
_SENT = ("host", "connection", "accept", "content-type", "content-length", "transfer-encoding", "user-agent")
"""Headers that a server gets.  The client would send more: what is in $OPENAI_CUSTOM_HEADERS, $OPENAI_ORG_ID
and $OPENAI_PROJECT_ID, and what machine this is."""
_OPENAI, _ACCOUNT = "https://api.openai.com/", ("openai-organization", "openai-project")
"""Who may know the user's organisation and project there."""
_PACKED = ("gzip", "x-gzip", "deflate")
"""Content encodings that are asked for."""
_STEP = 2**16
_IDLE_SECONDS = 30.0
"""A connection that was not used for so long is not trusted any more."""
_FRAMING = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that are true of the bytes that were sent, not of the text in them."""


class Connections(httpx2.AsyncBaseTransport):
    """As many connections as there are requests under way; up to `kept` stay open for the next ones.

    Args:
        url: the server.
        authorization: the header of that name; "" for none.
        alive: whether it is still the one that is meant, where that can be known: asked whenever a connection
            has been made, before anything is sent on it.

    Raises:
        ModelError: the environment names a proxy that cannot be used.
    """

    def __init__(
        self, url: str, kept: int, authorization: str = "", alive: Callable[[], bool] | None = None
    ) -> None:
        self._alive = alive
        self._sent = (*_SENT, *_ACCOUNT) if f"{url}/".startswith(_OPENAI) else _SENT
        self._added = {"Accept-Encoding": "gzip, deflate"}
        if authorization:
            self._added["Authorization"] = authorization
        limits = httpx2.Limits(
            max_connections=None, max_keepalive_connections=kept, keepalive_expiry=_IDLE_SECONDS
        )
        proxy = proxy_for(url)
        try:
            self._inner = httpx2.AsyncHTTPTransport(limits=limits, proxy=proxy)
        except (ValueError, ImportError, httpx2.InvalidURL) as error:  # the address may hold a password
            if proxy is None:
                raise
            raise ModelError(
                f"the proxy that the environment names for {url} cannot be used: {type(error).__name__}",
                "it takes http://host:port (socks5 needs the package socksio); see HTTP_PROXY, HTTPS_PROXY "
                "and ALL_PROXY, or add the host to NO_PROXY",
            ) from None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request, reads the whole reply.

        Raises:
            httpx2.TransportError: no connection, no reply in time, or one that is no HTTP.
            httpx2.DecodingError: a reply that cannot be unpacked, or is too long.
        """
        if self._alive is not None:
            request.extensions["trace"] = self._traced
        headers = [
            (name, value) for name, value in request.headers.raw if name.lower().decode() in self._sent
        ]
        request.headers = httpx2.Headers(headers)
        request.headers.update(self._added)
        response = await self._inner.handle_async_request(request)
        try:
            packed = await _bounded(response)
            if _has_more(response):  # before the connection is handed on
                await response.extensions["network_stream"].aclose()
        finally:
            await response.aclose()
        content = _unpacked(packed, response.headers.get("content-encoding", ""))
        rest = [(name, value) for name, value in response.headers.multi_items() if name not in _FRAMING]
        return httpx2.Response(
            response.status_code, headers=rest, content=content, extensions=response.extensions
        )

    async def _traced(self, event: str, about: Mapping[str, object]) -> None:
        connected = event == "connection.connect_tcp.complete"
        if connected and self._alive is not None and not self._alive():
            raise httpx2.ConnectError("what answers there is not the server that was started")

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _bounded(response: httpx2.Response) -> bytes:
    """The bytes of a reply as they were sent."""
    found = bytearray()
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    async for part in response.stream:
        found += part
        if len(found) > LONGEST_REPLY:
            raise _too_long()
    return bytes(found)


def _unpacked(packed: bytes, encoding: str) -> bytes:
    """What was packed; only as it was asked for, and once: packed twice it can be a million times longer.

    Raises:
        httpx2.DecodingError: it cannot be unpacked, or is too long.
    """
    codings = [name for part in encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if not codings or not packed:
        return packed
    if len(codings) > 1 or codings[0] not in _PACKED:
        raise httpx2.DecodingError(f"a reply packed as {encoding[:40]!r}, which was not asked for")
    # some servers send deflate without its envelope, of which these are the first bytes
    wrapped = codings[0] != "deflate" or (packed[0] & 15 == 8 and int.from_bytes(packed[:2]) % 31 == 0)
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32 if wrapped else -zlib.MAX_WBITS)
    found = bytearray()
    try:
        for start in range(0, len(packed), _STEP):
            found += unpacker.decompress(packed[start : start + _STEP], LONGEST_REPLY + 1 - len(found))
            if len(found) > LONGEST_REPLY:
                raise _too_long()
    except zlib.error as error:
        raise httpx2.DecodingError(f"a reply that cannot be unpacked: {error}") from None
    if not unpacker.eof:
        raise httpx2.DecodingError("a reply that cannot be unpacked: it is cut off")
    return bytes(found)


def _too_long() -> httpx2.DecodingError:
    return httpx2.DecodingError(f"a reply of more than {LONGEST_REPLY:,} bytes")


def _has_more(response: httpx2.Response) -> bool:
    """Whether bytes have come behind a reply that was read whole; also where that cannot be seen.

    The pool looks at the socket before it uses a connection again, but bytes that were read from it already
    wait in the HTTP parser, the TLS layer or the event loop, and would be taken for the next answer.
    """
    stream: Any = response.stream
    try:
        connection = stream._httpcore_stream._stream._connection
        if connection._h11_state.trailing_data != (b"", False):
            return True
        layer = connection._network_stream._stream
        while hasattr(layer, "_read_bio"):
            if layer._read_bio.pending or layer._ssl_object.pending():
                return True
            layer = layer.transport_stream
        return bool(layer._protocol.read_queue)
    except AttributeError:  # another version of these packages
        return True


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`."""
    where = urlsplit(url)
    host = where.hostname or ""
    if _is_here(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(where.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _is_here(host: str) -> bool:
    """Whether `host` is this machine, which no proxy knows as such."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
