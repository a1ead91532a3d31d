"""A server of chat completions with simulated engines, each of which answers one request at a time.

    python benchmarks/on_workers/server.py ENGINES SECONDS

Whoever comes while all are busy waits, so that nobody gets more than ENGINES / SECONDS answers a second.
Prints its port, and serves until it is ended; on a line from stdin it prints what it has done since the last:
how many answers, its CPU seconds, and the mean number of busy engines while there was anything to do.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from typing import Any

CHOICE = {
    "index": 0,
    "message": {"role": "assistant", "content": "Paris is the capital of France, on the Seine."},
    "finish_reason": "stop",
}


def reply(completions: int) -> bytes:
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{**CHOICE, "index": index} for index in range(completions)],
            "usage": {"prompt_tokens": 40, "completion_tokens": 12 * completions, "total_tokens": 52},
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


REPLIES = [reply(count) for count in range(33)]


class Engines:
    """What is free, who waits, and what was done."""

    def __init__(self, count: int, seconds: float) -> None:
        self.free = self.count = count
        self.seconds = seconds
        self.waiting: deque[Connection] = deque()
        self.answered = 0
        self.first = self.last = 0.0
        self.cpu = time.process_time()

    def give_out(self) -> None:
        loop = asyncio.get_running_loop()
        while self.free and self.waiting:
            self.free -= 1
            self.first = self.first or loop.time()
            loop.call_later(self.seconds, self.done, self.waiting.popleft())

    def done(self, connection: Connection) -> None:
        self.free += 1
        self.answered += 1
        self.last = asyncio.get_running_loop().time()
        connection.send()
        self.give_out()

    def said(self) -> str:
        now = time.process_time()
        seconds = self.last - self.first
        busy = self.answered * self.seconds / seconds if seconds else 0.0
        found = {"answered": self.answered, "seconds": seconds, "cpu": now - self.cpu, "busy": busy}
        self.answered, self.first, self.cpu = 0, 0.0, now
        return json.dumps(found)


class Connection(asyncio.Protocol):
    """One client's: requests one after the other, of which the body says how many completions are wanted."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.data = b""
        self.wanted = 1

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.data[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(self.data) < end + 4 + length:
            return
        self.wanted = json.loads(self.data[end + 4 :]).get("n", 1)
        self.data = b""
        self.engines.waiting.append(self)
        self.engines.give_out()

    def send(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(REPLIES[self.wanted])


async def serve(count: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    engines = Engines(count, seconds)
    server = await loop.create_server(lambda: Connection(engines), "127.0.0.1", 0, backlog=1024)

    def say() -> None:
        if sys.stdin.readline():
            print(engines.said(), flush=True)
        else:
            loop.stop()

    loop.add_reader(sys.stdin, say)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
