"""What asking a server costs: throughput against a mock of fixed parallelism, and the client's own CPU time.

    python benchmarks/remote.py [--requests 10000] [--places 32] [--latency 0.05]

The mock runs in another process, answers after `latency` seconds, `places` requests at a time, and lets the
others wait: no client can get more than places / latency answers a second out of it.  Printed are the share
of that which `RemoteLM.generate` gets, its CPU seconds per request (all threads, user and system), and for
comparison what the layers below it cost alone: the openai client's raw request, and the HTTP client's.

No model answers here: what is measured is the client alone (docs/decisions/0007-transport.md).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import ClassVar

REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Paris is the capital of France, on the Seine."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 40, "completion_tokens": 12, "total_tokens": 52},
    }
).encode()
RESPONSE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(REPLY) + REPLY
)


class Mock(asyncio.Protocol):
    """One connection to the mock; all share the places."""

    waiting: ClassVar[deque[Mock]] = deque()
    free = 32
    latency = 0.05

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.data[:end].lower()
        at = head.find(b"content-length:") + len(b"content-length:")
        if len(self.data) < end + 4 + int(head[at:].split(b"\r\n", 1)[0]):
            return
        self.data = b""
        Mock.waiting.append(self)
        Mock.next()

    @classmethod
    def next(cls) -> None:
        while cls.free and cls.waiting:
            cls.free -= 1
            asyncio.get_running_loop().call_later(cls.latency, cls.waiting.popleft().send)

    def send(self) -> None:
        Mock.free += 1
        if not self.transport.is_closing():
            self.transport.write(RESPONSE)  # type: ignore[attr-defined]
        Mock.next()


def serve(places: int, latency: float) -> None:
    """The mock's process: prints its port and serves until it is ended."""
    Mock.free, Mock.latency = places, latency

    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(forever())


def through_remote_lm(url: str, count: int, places: int) -> None:
    from selfstudy.models.base import Sampling, chat
    from selfstudy.models.remote.lm import RemoteLM
    from selfstudy.recipe import RemoteModel

    lm = RemoteLM(RemoteModel(model="m", base_url=url, concurrency=places))
    chats = [chat(f"What is the capital of country {i}?", "You are an eager student.") for i in range(count)]
    lm.generate(chats[:places], Sampling())
    report("RemoteLM.generate", lambda: check(lm.generate(chats, Sampling()), count), count)
    lm.close()


def check(found: list[object], count: int) -> None:
    if len(found) != count:
        raise SystemExit(f"{len(found)} answers to {count} questions")


def through_clients(url: str, count: int, places: int) -> None:
    """The layers below, in a plain loop of `places` tasks."""
    import httpx2
    import openai

    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "You are an eager student."},
            {"role": "user", "content": "What is the capital of country 1?"},
        ],
        "temperature": 1.0,
        "max_tokens": 128,
        "seed": 1,
    }

    async def all_of_it() -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx2.AsyncClient(limits=limits) as http:
            client = openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0, http_client=http)

            async def typed() -> object:
                return await client.chat.completions.create(**body)  # type: ignore[call-overload]

            async def raw() -> object:
                return await client.post("/chat/completions", cast_to=httpx2.Response, body=body)

            async def bare() -> object:
                return await http.post(url + "/chat/completions", json=body)

            layers: dict[str, Callable[[], Awaitable[object]]] = {
                "openai, typed (chat.completions.create)": typed,
                "openai, raw (post, standard pool)": raw,
                "HTTP client alone (standard pool)": bare,
            }
            for name, send in layers.items():
                await asyncio.gather(*(send() for _ in range(places)))
                todo = iter(range(count))

                async def work(send: Callable[[], Awaitable[object]] = send, todo: object = todo) -> None:
                    for _ in todo:  # type: ignore[attr-defined]
                        await send()

                began, cpu = time.perf_counter(), time.process_time()
                await asyncio.gather(*(work() for _ in range(places)))
                show(name, count, time.perf_counter() - began, time.process_time() - cpu)

    asyncio.run(all_of_it())


def report(name: str, work: Callable[[], None], count: int) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    work()
    show(name, count, time.perf_counter() - began, time.process_time() - cpu)


BEST = 0.0
"""Requests a second that the mock allows."""


def show(name: str, count: int, seconds: float, cpu: float) -> None:
    rate = count / seconds
    print(
        f"{name:42} {count:6} requests  {seconds:7.2f} s  {rate:7.0f}/s  "
        f"{rate / BEST:6.1%} of what the server allows  {cpu / count * 1e3:5.2f} ms CPU per request",
        flush=True,
    )


def main() -> None:
    global BEST
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--places", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.places, options.latency)
    BEST = options.places / options.latency
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    print(f"{os.cpu_count()} CPUs, load {load:.1f} per CPU at the start (above 0.5 the figures are too bad)")
    command = [
        sys.executable,
        __file__,
        "--serve",
        f"--places={options.places}",
        f"--latency={options.latency}",
    ]
    mock = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert mock.stdout is not None
        url = f"http://127.0.0.1:{int(mock.stdout.readline())}/v1"
        through_remote_lm(url, options.requests, options.places)
        through_clients(url, options.requests // 5, options.places)
    finally:
        mock.kill()


if __name__ == "__main__":
    main()
