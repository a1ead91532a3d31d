"""10,000 requests, good and bad, from clients good and bad: none is lost or doubled, and memory stays."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from on_serve.served import ADAPTERS, Running, echoed, serving

KINDS = {"plain": 55, "stream": 15, "slow": 10, "leaves": 8, "large": 5, "broken": 5, "unknown": 2}
"""Of a hundred requests."""
WANTED = {"plain": 200, "stream": 200, "slow": 200, "large": 413, "broken": 400, "unknown": 404}
JSON = {"content-type": "application/json"}


class Storm:
    """Everything that is sent, and what came of it."""

    def __init__(self, server: Running, count: int, seed: int) -> None:
        self.server, self._count = server, count
        self._rng = random.Random(seed)
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.answered: list[str] = []
        self.sent: list[str] = []
        self.memory: list[float] = []

    async def run(self, together: int) -> None:
        kinds = self._rng.choices(list(KINDS), list(KINDS.values()), k=self._count)
        todo = iter(enumerate(kinds))
        limits = httpx2.Limits(max_connections=together + 10)
        async with httpx2.AsyncClient(timeout=120, limits=limits) as http:

            async def work() -> None:
                for number, kind in todo:
                    self.outcomes[kind, await self._one(http, number, kind)] += 1
                    if number % max(1, self._count // 20) == 0:
                        self.memory.append(self.server.megabytes())
                        print(f"{number:>6} sent, {self.memory[-1]:.1f} MiB", flush=True)

            await asyncio.gather(*(work() for _ in range(together)))
        self.memory.append(self.server.megabytes())

    async def _one(self, http: httpx2.AsyncClient, number: int, kind: str) -> str:
        question = f"question {number} of this storm"
        model = self._rng.choice(["base", *ADAPTERS])
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": question}]}
        self.sent.append(question)
        url = f"{self.server.url}/v1/chat/completions"
        try:
            if kind == "plain":
                answer = await http.post(url, json=body)
                return self._seen(question, answer.json()["choices"][0]["message"]["content"])
            if kind == "large":
                answer = await http.post(url, content=b"x" * (2**20 + 1 + number), headers=JSON)
            elif kind == "broken":
                raw = json.dumps(body).encode()
                answer = await http.post(url, content=raw[: 1 + number % (len(raw) - 1)], headers=JSON)
            elif kind == "unknown":
                answer = await http.post(url, json={**body, "model": "group9-00000009"})
            else:
                return await self._streamed(question, {**body, "stream": True}, kind)
            return "right" if answer.status_code == WANTED[kind] else f"status {answer.status_code}"
        except (TimeoutError, httpx2.HTTPError, OSError, KeyError, ValueError) as error:
            return type(error).__name__

    async def _streamed(self, question: str, body: dict[str, Any], kind: str) -> str:
        """Read at once, slowly through a small window, or not to its end."""
        place = urlsplit(self.server.url)
        raw = json.dumps(body).encode()
        connection = socket.socket()
        if kind == "slow":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(connection, (place.hostname, place.port))
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
            await loop.sock_sendall(connection, head.encode() + raw)
            if kind == "leaves":
                await asyncio.sleep(self._rng.random() * 0.1)
                return "left"
            found = b""
            while part := await loop.sock_recv(connection, 1024 if kind == "slow" else 65536):
                found += part
                if kind == "slow":
                    await asyncio.sleep(0.02)
        finally:
            connection.close()
        return self._seen(question, _text(found))

    def _seen(self, question: str, answer: str) -> str:
        self.answered.append(question)
        return "right" if answer == echoed(question) else "another answer"


def _text(raw: bytes) -> str:
    """What the events of a stream add up to; they may be cut anywhere by the chunks of HTTP."""
    _, _, body = raw.partition(b"\r\n\r\n")
    joined = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        joined, body = joined + rest[:length], rest[length + 2 :]
    events = [line[6:] for line in joined.split(b"\n\n") if line.startswith(b"data: {")]
    parts = [choice["delta"].get("content", "") for one in events for choice in json.loads(one)["choices"]]
    return "".join(parts) if joined.endswith(b"data: [DONE]\n\n") else "no end"


def measure(count: int = 10_000, together: int = 200, seed: int = 0) -> dict[str, Any]:
    """Sends all of it, and compares what clients saw with the log of the server."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with serving("echo", "--log", str(log)) as server:
            storm = Storm(server, count, seed)
            began = time.perf_counter()
            asyncio.run(storm.run(together))
            seconds = time.perf_counter() - began
            figures = httpx2.get(f"{server.url}/metrics").text
        logged = Counter(
            json.loads(line)["question"]
            for file in sorted(Path(folder).iterdir())
            for line in file.read_text().splitlines()
        )
    return _report(storm, logged, figures, seconds)


def _report(storm: Storm, logged: Counter[str], figures: str, seconds: float) -> dict[str, Any]:
    for (kind, outcome), number in sorted(storm.outcomes.items()):
        print(f"{kind:<8} {outcome:<16} {number:>6}")
    wrong = sum(number for (_, outcome), number in storm.outcomes.items() if outcome not in ("right", "left"))
    doubled = [question for question, number in logged.items() if number > 1]
    lost = [question for question in storm.answered if question not in logged]
    early, late = storm.memory[len(storm.memory) // 4 :][:3], storm.memory[-3:]
    grown = statistics.mean(late) - statistics.mean(early)
    found = {
        "requests": sum(storm.outcomes.values()),
        "seconds": round(seconds, 1),
        "wrong": wrong,
        "doubled": len(doubled),
        "lost": len(lost),
        "answered_more_than_once": len(storm.answered) - len(set(storm.answered)),
        "memory": [round(one, 1) for one in storm.memory],
        "grown_after_a_quarter": round(grown, 1),
    }
    for line in figures.splitlines():
        if line.startswith(("selfstudy_requests_total", "selfstudy_busy", "selfstudy_queue")):
            print(line)
    print(json.dumps(found))
    return found
