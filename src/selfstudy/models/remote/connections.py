"""Connections to HTTP/1.1 servers at little CPU cost: a transport for httpx.

The standard one costs as much CPU per request as all other layers together: its pool looks through all
connections several times, and every byte passes several wrappers.  Here free connections are a stack, a
request is one write, and a reply is read whole.  That is enough for an API without streaming; where the
environment names a proxy the standard transport is used instead (http.py).  No trailers, no upgrades.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

_LONGEST_REPLY = 64 * 2**20
"""Bytes; a server that sends more is broken, and memory is not for it."""
_LONGEST_HEAD = 2**16
_IDLE_SECONDS = 30.0
"""A connection that was not used for so long is not trusted any more."""
_EMPTY = (204, 304)

Origin = tuple[str, str, int]
Headers = list[tuple[bytes, bytes]]


class ConnectionPool(httpx2.AsyncBaseTransport):
    """As many connections as there are requests under way; each goes back onto its stack afterwards."""

    def __init__(self) -> None:
        self._free: dict[Origin, list[_Connection]] = {}
        self._tls: ssl.SSLContext | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request, reads the whole reply.

        Raises:
            httpx2.TransportError: no connection, no reply in time, or one that is no HTTP.
        """
        limits = request.extensions.get("timeout", {})
        content = await request.aread()
        origin = _origin(request.url)
        connection = self._idle(origin) or await self._open(origin, limits.get("connect"))
        try:
            status, headers, body, again = await connection.exchange(request, content, limits.get("read"))
        except BaseException:
            connection.close()
            raise
        if again:
            connection.since = asyncio.get_running_loop().time()
            self._free[origin].append(connection)
        else:
            connection.close()
        return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(body))

    async def aclose(self) -> None:
        for connections in self._free.values():
            while connections:
                connections.pop().close()

    def _idle(self, origin: Origin) -> _Connection | None:
        """The connection that was used last, if the server still holds it."""
        connections = self._free.setdefault(origin, [])
        while connections:
            connection = connections.pop()
            if (
                not connection.reader.at_eof()
                and asyncio.get_running_loop().time() - connection.since < _IDLE_SECONDS
            ):
                return connection
            connection.close()
        return None

    async def _open(self, origin: Origin, seconds: float | None) -> _Connection:
        scheme, host, port = origin
        if scheme == "https" and self._tls is None:
            self._tls = httpx2.create_ssl_context()
        tls = self._tls if scheme == "https" else None
        with _as_httpx_errors(httpx2.ConnectTimeout, httpx2.ConnectError):
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=tls, limit=_LONGEST_HEAD, happy_eyeballs_delay=0.25
                )
        return _Connection(reader, writer)


@dataclass
class _Connection:
    """One connection; `since` is when it was last used."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    since: float = 0.0

    def close(self) -> None:
        self.writer.transport.abort()

    async def exchange(
        self, request: httpx2.Request, content: bytes, seconds: float | None
    ) -> tuple[int, Headers, bytes, bool]:
        """Status, headers and body of the reply, and whether the connection can be used again."""
        with _as_httpx_errors(httpx2.ReadTimeout, httpx2.ReadError):
            self.writer.write(_request_head(request) + content)
            async with asyncio.timeout(seconds):
                await self.writer.drain()
            status = 100
            while status < 200:
                async with asyncio.timeout(seconds):
                    head = await self.reader.readuntil(b"\r\n\r\n")
                status, headers = _response_head(head)
            fields = {name.lower(): value.lower() for name, value in headers}
            body, whole = await self._body(status, fields, seconds)
        keep = head.startswith(b"HTTP/1.1") and b"close" not in fields.get(b"connection", b"")
        return status, headers, body, whole and keep

    async def _body(
        self, status: int, fields: dict[bytes, bytes], seconds: float | None
    ) -> tuple[bytes, bool]:
        """The body, and whether its end was marked (else the connection's end is its end)."""
        if status in _EMPTY:
            return b"", True
        if fields.get(b"transfer-encoding", b"").endswith(b"chunked"):
            return await self._chunks(seconds), True
        if b"content-length" in fields:
            return await self._exactly(_bounded(int(fields[b"content-length"])), seconds), True
        parts: list[bytes] = []
        size = 0
        while part := await self._some(_LONGEST_HEAD, seconds):
            parts.append(part)
            size = _bounded(size + len(part))
        return b"".join(parts), False

    async def _chunks(self, seconds: float | None) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            async with asyncio.timeout(seconds):
                line = await self.reader.readuntil(b"\r\n")
            length = _bounded(int(line.partition(b";")[0], 16))
            size = _bounded(size + length)
            if length == 0:
                while line != b"\r\n":  # trailers, of no use here
                    async with asyncio.timeout(seconds):
                        line = await self.reader.readuntil(b"\r\n")
                return b"".join(parts)
            parts.append((await self._exactly(length + 2, seconds))[:-2])

    async def _exactly(self, count: int, seconds: float | None) -> bytes:
        """`count` bytes, the server never silent for `seconds`."""
        parts: list[bytes] = []
        while count:
            part = await self._some(count, seconds)
            if not part:
                raise EOFError(f"the connection ended {count} bytes too early")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    async def _some(self, most: int, seconds: float | None) -> bytes:
        async with asyncio.timeout(seconds):
            return await self.reader.read(most)


def _origin(url: httpx2.URL) -> Origin:
    return url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)


def _request_head(request: httpx2.Request) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b" % header for header in request.headers.raw]
    head = b"\r\n".join([*lines, b"", b""])
    if head.count(b"\n") != len(lines) + 1:
        raise httpx2.LocalProtocolError("a header holds a line break")
    return head


def _response_head(head: bytes) -> tuple[int, Headers]:
    first, *lines = head[:-4].split(b"\r\n")
    version, _, rest = first.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError(f"no HTTP/1 reply: {first[:40]!r}")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise ValueError(f"no header: {line[:40]!r}")
        headers.append((name, value.strip()))
    return int(rest[:3]), headers


def _bounded(size: int) -> int:
    if not 0 <= size <= _LONGEST_REPLY:
        raise ValueError(f"a reply of {size:,} bytes")
    return size


@contextmanager
def _as_httpx_errors(
    late: type[httpx2.TransportError], broken: type[httpx2.TransportError]
) -> Iterator[None]:
    """Errors of sockets and of parsing, as the errors that users of httpx know."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
    except (EOFError, asyncio.LimitOverrunError, ValueError) as error:
        raise httpx2.RemoteProtocolError(str(error)) from error
