"""The routes of the OpenAI API: chat completions and models; health, metrics and loading anew beside them.

Reads a body within its limits, hands the request to the queue, waits with an eye on the client, and answers.
No page and no script is served, and no other site's page may read anything: there are no CORS headers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from selfstudy.serve import asked, replies, streaming
from selfstudy.serve.api_error import GONE, ApiError, busy, gone, invalid, stopping, too_large, too_slow
from selfstudy.serve.batches import Batches
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.metrics import Metrics
from selfstudy.serve.offer import BASE, Offer
from selfstudy.serve.ticket import Ticket

ADAPTER = "X-Selfstudy-Adapter"
_DRAINED = 8
"""So many bodies of a body that is too large are read and thrown away: a client reads no answer before."""
_EVENTS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class Api:
    """The routes of one server.

    Args:
        offer: gives what is served at the moment.
        reload: loads it anew; gives what came of that.
        fault: told what failed where that is no fault of a request.
    """

    def __init__(
        self,
        offer: Callable[[], Offer],
        batches: Batches,
        metrics: Metrics,
        limits: RequestLimits,
        reload: Callable[[], Awaitable[dict[str, Any]]],
        fault: Callable[[BaseException], object],
    ) -> None:
        self._offer, self._batches, self._metrics, self._limits = offer, batches, metrics, limits
        self._reload, self._fault = reload, fault
        self.stopping = False
        self._bodies = _Bodies(limits)
        self._since = int(time.time())
        routes = [
            Route("/health", self._counted(self._health), methods=["GET"]),
            Route("/metrics", self._counted(self._figures), methods=["GET"]),
            Route("/v1/models", self._counted(self._models), methods=["GET"]),
            Route("/v1/models/{name}", self._counted(self._model), methods=["GET"]),
            Route("/v1/chat/completions", self._counted(self._chat), methods=["POST"]),
            Route("/admin/reload", self._counted(self._load), methods=["POST"]),
        ]
        handlers: Any = {HTTPException: self._not_there}
        self.routes = Starlette(routes=routes, exception_handlers=handlers)
        self.routes.router.redirect_slashes = False  # to wherever the Host header says

    async def refuse(self, error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with an error, without looking at the body."""
        self._metrics.request(error.status)
        await _refused(error)(scope, receive, send)

    def _counted(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[..., Any]:
        """The endpoint with every way that it can end as an answer, and counted."""

        async def endpoint(request: Request) -> Response:
            try:
                response = await answer(request)
            except ApiError as error:
                response = _refused(error)
            except ClientDisconnect:
                response = _refused(gone())
            except Exception as error:
                self._fault(error)
                response = _refused(
                    ApiError(500, "this failed; the server's log says where", kind="server_error")
                )
            if not isinstance(response, _Events):  # which is counted when it ends
                self._metrics.request(response.status_code)
            return response

        return endpoint

    async def _not_there(self, request: Request, error: HTTPException) -> Response:
        """No such path, or not by that method."""
        self._metrics.request(error.status_code)
        said = {404: "there is no such path here", 405: "this path is not asked for in that way"}
        message = said.get(error.status_code, "this cannot be answered")
        return _refused(ApiError(error.status_code, f"{message}; see /v1/models and /v1/chat/completions"))

    async def _health(self, request: Request) -> Response:
        if self.stopping:
            raise stopping()
        return _json({"status": "ok"})

    async def _figures(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _models(self, request: Request) -> Response:
        return _json({"object": "list", "data": [self._card(name) for name in self._offer().choices]})

    async def _model(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._offer().find(name)
        return _json(self._card(name))

    def _card(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": "selfstudy"}

    async def _load(self, request: Request) -> Response:
        if self.stopping:
            raise stopping()
        return _json(await self._reload())

    async def _chat(self, request: Request) -> Response:
        body = asked.read(await self._bodies.read(request), self._limits)
        ticket = Ticket(body, self._offer(), self._limits.seconds)
        self._batches.add(ticket)
        watched = _watched(request, ticket, self._batches)
        async with watched:
            await ticket.start()
            if not ticket.asked.streams:
                written = await ticket.finished()
                self._metrics.answered(ticket, time.monotonic() - ticket.came)
                found = replies.whole(
                    _envelope(ticket), ticket.prompt_tokens, written.completions, written.tokens
                )
                return _json(found, {ADAPTER: _header(ticket)})
        return _Events(ticket, self._batches, self._metrics)


class _Events(Response):
    """An answer that is sent while it is written; nobody but its own reader waits for that reader."""

    def __init__(self, ticket: Ticket, batches: Batches, metrics: Metrics) -> None:
        super().__init__(headers={**_EVENTS, ADAPTER: _header(ticket)})
        del self.headers["content-length"]
        self._ticket, self._batches, self._metrics = ticket, batches, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ticket = self._ticket
        request = Request(scope, receive)
        async with _watched(request, ticket, self._batches):
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            async for part in streaming.events(ticket, _envelope(ticket)):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        self._metrics.request(200 if ticket.refused is None else ticket.refused.status)
        self._metrics.answered(ticket, time.monotonic() - ticket.came)


@asynccontextmanager
async def _watched(request: Request, ticket: Ticket, batches: Batches) -> AsyncIterator[None]:
    """While the block runs, a client that goes takes its request with it."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        ticket.cancel()
        batches.drop(ticket)

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        ticket.cancel()
        raise
    except ApiError:
        batches.drop(ticket)
        raise
    finally:
        watching.cancel()


class _Bodies:
    """Reads bodies within the limits of each, and of all that are arriving at the same time."""

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._held = 0

    async def read(self, request: Request) -> bytes:
        """The body of a request.

        Raises:
            ApiError: it is no JSON by its header, too large or too slow, or too many arrive.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # which no form of another site's page can send
            raise _no_json("send JSON, with Content-Type: application/json")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise _no_json("send the body as it is, without a Content-Encoding")
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                await self._receive(request, parts)
        except TimeoutError:
            raise too_slow(self._limits.body_seconds) from None
        finally:
            self._held -= sum(map(len, parts))
        if not parts:
            raise invalid("the body is empty", code="invalid_json")
        return b"".join(parts)

    async def _receive(self, request: Request, parts: list[bytes]) -> None:
        limits, size = self._limits, 0
        async for part in request.stream():
            size += len(part)
            if size > limits.body * _DRAINED:
                break
            if size > limits.body:
                self._held -= sum(map(len, parts))
                parts.clear()
            elif part:
                parts.append(part)
                self._held += len(part)
                if self._held > limits.receiving:
                    raise busy()
        if size > limits.body:
            raise too_large(limits.body)


def _no_json(message: str) -> ApiError:
    return ApiError(415, message, code="unsupported_media_type")


def _envelope(ticket: Ticket) -> replies.Envelope:
    return replies.Envelope(
        ticket.asked.model or ticket.offer.default, _explained(ticket) if ticket.asked.explains else None
    )


def _explained(ticket: Ticket) -> dict[str, Any]:
    """Which adapter answered, and what spoke for it."""
    found: dict[str, Any] = {"adapter": ticket.label or None}
    if ticket.route is not None:
        found |= {
            "score": round(ticket.route.score, 6),
            "base_score": round(ticket.route.base, 6),
            "nearest_question": ticket.route.nearest or None,
        }
    return found


def _header(ticket: Ticket) -> str:
    return quote(ticket.label or BASE, safe="-_.~+,:@ ")


def _json(data: object, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    return Response(replies.encoded(data), status, headers, "application/json")


def _refused(error: ApiError) -> Response:
    if error.status == GONE:  # nobody reads it
        return Response(status_code=GONE)
    return _json(error.body, error.headers, error.status)
