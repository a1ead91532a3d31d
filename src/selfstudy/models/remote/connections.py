"""Connections to one server: the standard transport of httpx, its way there, and how long a reply may be.

No proxy stands between this machine and itself, whatever the environment says; where it names one for other
hosts, that one is used.  A reply is read whole, which is enough for an API without streaming, and unpacked at
most as far as it may be long.  Knows nothing of what is asked.
"""

from __future__ import annotations

import ipaddress
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import aclosing
from urllib.parse import urlsplit

import httpx2

from selfstudy.errors import ModelError

LONGEST_REPLY = 64 * 2**20
"""Bytes, unpacked; a server that sends more is broken, and memory is not for it."""
_IDLE_SECONDS = 30.0
"""A connection that was not used for so long is not trusted any more."""
_FRAMING = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that are true of the bytes that were sent, not of the text in them."""


class Connections(httpx2.AsyncBaseTransport):
    """As many connections as there are requests under way; up to `kept` stay open for the next ones.

    Args:
        url: the server.
        alive: whether it is still the one that is meant, where that can be known: asked whenever a connection
            has been made, before anything is sent on it.

    Raises:
        ModelError: the environment names a proxy that cannot be used.
    """

    def __init__(self, url: str, kept: int, alive: Callable[[], bool] | None = None) -> None:
        self._alive = alive
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
        response = await self._inner.handle_async_request(request)
        try:
            content = await _bounded(response)
        finally:
            await response.aclose()
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in _FRAMING]
        return httpx2.Response(
            response.status_code, headers=headers, content=content, extensions=response.extensions
        )

    async def _traced(self, event: str, about: Mapping[str, object]) -> None:
        connected = event == "connection.connect_tcp.complete"
        if connected and self._alive is not None and not self._alive():
            raise httpx2.ConnectError("what answers there is not the server that was started")

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _bounded(response: httpx2.Response) -> bytes:
    """The text of a reply as bytes."""
    parts: list[bytes] = []
    size = 0
    async with aclosing(response.aiter_bytes()) as stream:
        async for part in stream:
            size += len(part)
            if size > LONGEST_REPLY:
                raise httpx2.DecodingError(f"a reply of more than {LONGEST_REPLY:,} bytes")
            parts.append(part)
    return b"".join(parts)


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
