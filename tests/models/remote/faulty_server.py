"""A chat server on a real loopback socket that answers as it is told to: well, badly, or not at all.

with FaultyServer(lambda request: Reaction(status=503)) as server:
    RemoteLM(RemoteModel(model="m", base_url=server.url))
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal


@dataclass
class Request:
    """What came in."""

    number: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def question(self) -> str:
        """The last turn of the chat."""
        return str(self.body["messages"][-1]["content"])


@dataclass
class Reaction:
    """What goes out: the usual answer, or `body` instead (bytes are sent as they are)."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    fault: Literal["", "reset", "hang", "drip"] = ""


def choice(text: str | None = "yes", index: int = 0, finish: str | None = "stop", **message: Any) -> Any:
    return {
        "index": index,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish,
    }


def reply(*choices: Any, prompt_tokens: int = 10, completion_tokens: int = 4) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens * max(1, len(choices))}
    return {"id": "x", "object": "chat.completion", "choices": list(choices), "usage": usage}


def usual(request: Request) -> dict[str, Any]:
    """As many choices as asked for; they say what was asked, how, and which they are."""
    how = "greedy" if request.body.get("temperature") == 0 else f"seed {request.body.get('seed')}"
    count = request.body.get("n", 1)
    return reply(*(choice(f"{request.question} | {how} | {i}", i) for i in range(count)))


def one_only(request: Request) -> Reaction:
    """A server that does not know `n`."""
    return Reaction(body=usual(Request(**{**vars(request), "body": {**request.body, "n": 1}})))


def refusing(parameter: str, message: str | None = None) -> Callable[[Request], Reaction]:
    """A server that answers 400 to whoever sends `parameter`."""

    def react(request: Request) -> Reaction:
        if parameter not in request.body:
            return Reaction()
        said = message or f"Unrecognized request argument supplied: '{parameter}'"
        return Reaction(400, {"error": {"message": said, "type": "invalid_request_error", "param": None}})

    return react


class FaultyServer:
    """Serves in a thread of its own.

    Attributes:
        requests: what came in so far.
        peak: most requests under way at once.
    """

    def __init__(
        self,
        react: Callable[[Request], Reaction] = lambda request: Reaction(),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.peak = 0
        self._react = react
        self._tls = tls
        self._running = 0
        self._loop = asyncio.new_event_loop()
        self._port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}/v1"

    def asked(self, path: str = "/v1/chat/completions") -> list[dict[str, Any]]:
        """The bodies sent to a path."""
        return [request.body for request in self.requests if request.path == path]

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024, ssl=self._tls)
        )
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await self._read(reader)) is not None:
                self._running += 1
                self.peak = max(self.peak, self._running)
                try:
                    alive = await self._answer(request, writer)
                finally:
                    self._running -= 1
                if not alive:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = first.split(" ")[1]
        request = Request(len(self.requests), path, headers, json.loads(body or b"{}"), time.monotonic())
        self.requests.append(request)
        return request

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Sends what `react` says; whether the connection can be used again."""
        reaction = self._react(request)
        await asyncio.sleep(reaction.delay)
        if reaction.fault == "hang":
            await asyncio.sleep(3600)
        body = usual(request) if reaction.body is None else reaction.body
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(content)),
            **reaction.headers,
        }
        lines = [f"HTTP/1.1 {reaction.status} X", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if reaction.fault == "reset":
            writer.write(content[: len(content) // 2])
            await writer.drain()
            writer.transport.abort()
            return False
        if reaction.fault == "drip":
            step = max(1, len(content) // 5)
            for start in range(0, len(content), step):
                writer.write(content[start : start + step])
                await asyncio.sleep(0.002)
        else:
            writer.write(content)
        await writer.drain()
        return True
