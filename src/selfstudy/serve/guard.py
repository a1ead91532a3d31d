"""Who may come in: how many connections, how slow, under which name of this host, and with which key.

    Guard       around the routes: the host that was asked for, the site that asks, the key
    Connection  around uvicorn's own: heads that do not come, readers that do not read, too many of both

Knows nothing of models.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from selfstudy.serve import replies
from selfstudy.serve.api_error import ApiError, ambiguous, forbidden, invalid, no_key
from selfstudy.serve.limits import RequestLimits

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN = "/health"
"""What is answered without the key."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    return host in LOOPBACK or (host.startswith("127.") and host.replace(".", "").isdigit())


@dataclass(frozen=True)
class Guard:
    """Lets to the routes what may go there; everything else is answered here.

    Args:
        key: that each request must have; None: nobody needs one.
        hosts: names of this host that may be asked for; None: any.  On loopback a page of some other site
            could ask under a name of its own that leads here.
        refuse: answers with an error, and counts it.
    """

    routes: ASGIApp
    key: bytes | None
    hosts: Collection[str] | None
    refuse: Callable[[ApiError, Scope, Receive, Send], Awaitable[None]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            self._check(scope)
        except ApiError as error:
            await self.refuse(error, scope, receive, send)
            return
        await self.routes(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Raises what is to be answered instead."""
        headers = scope["headers"]
        if values_of(headers, b"transfer-encoding") and values_of(headers, b"content-length"):
            # a proxy in front may believe the other of them, and where this ends begins another's request
            raise ambiguous()
        if self.hosts is not None:
            named = values_of(headers, b"host")
            if len(named) != 1 or host_of(f"//{named[0]}") not in self.hosts:
                raise invalid("the Host header names another host than this one", code="wrong_host")
            for origin in values_of(headers, b"origin"):
                if host_of(origin) not in self.hosts:
                    raise forbidden("requests of other sites' pages are not answered")
        if self.key is not None and scope["path"] != OPEN:
            given = values_of(headers, b"authorization")
            scheme, _, key = given[0].partition(" ") if len(given) == 1 else ("", "", "")
            right = hmac.compare_digest(key.strip().encode("latin-1"), self.key)
            if not right or scheme.lower() != "bearer":
                raise no_key()


def values_of(headers: Collection[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """What the headers of this name say, one by one."""
    return [value.decode("latin-1") for key, value in headers if key == name]


def host_of(url: str) -> str | None:
    """The name of the host, as it is compared; None where there is none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class Connection(H11Protocol):
    """One connection: what does not come or is not taken in time ends it.

    `limits` is set by the server that makes the class (see `connection`).
    """

    limits: RequestLimits
    _timer: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.write(_FULL)
            transport.close()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self._unstall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._cancel()
        elif self.cycle is None or self.cycle.response_complete:  # a part of the next head
            self._await_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(self.limits.stalled, self._abort)

    def resume_writing(self) -> None:
        self._unstall()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, in the shape of the other errors."""
        self.transport.write(_plain(400, "Bad Request", invalid(msg)))
        self.transport.close()

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.head_seconds, self._abort)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _unstall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


def connection(limits: RequestLimits) -> type[Connection]:
    """The class of a server's connections."""
    return type("LimitedConnection", (Connection,), {"limits": limits})


def _plain(status: int, phrase: str, error: ApiError) -> bytes:
    """A whole response, for what never became a request."""
    body = replies.encoded(error.body)
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


_FULL = _plain(
    503, "Service Unavailable", ApiError(503, "too many connections", kind="server_error", code="connections")
)
