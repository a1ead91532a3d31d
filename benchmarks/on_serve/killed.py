"""A server that is killed under load and started again: clients see errors only while it is down."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from on_serve.served import Running, echoed, start
from on_serve.served import __file__ as served


class Load:
    """Clients that ask one question after another, and ask again what failed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.errors: list[float] = []
        self.rights: list[float] = []
        self.wrong = 0
        self.open = True

    async def run(self, clients: int) -> None:
        async with httpx2.AsyncClient(timeout=20) as http:
            await asyncio.gather(*(self._client(http, number) for number in range(clients)))

    async def _client(self, http: httpx2.AsyncClient, client: int) -> None:
        number = 0
        while self.open:
            question = f"question {number} of client {client}"
            body = {"messages": [{"role": "user", "content": question}]}
            try:
                answer = await http.post(f"{self.url}/v1/chat/completions", json=body)
                said = answer.raise_for_status().json()["choices"][0]["message"]["content"]
            except httpx2.HTTPError:
                self.errors.append(time.monotonic())
                await asyncio.sleep(0.05)
                continue
            self.wrong += said != echoed(question)
            self.rights.append(time.monotonic())
            number += 1


async def _killed(
    load: Load, running: Running, command: list[str], clients: int
) -> tuple[float, float, Running]:
    asking = asyncio.create_task(load.run(clients))
    await asyncio.sleep(4)
    killed = time.monotonic()
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    again = await asyncio.to_thread(start, *command)
    up = time.monotonic()
    await asyncio.sleep(4)
    load.open = False
    await asking
    return killed, up, again


def measure(clients: int = 40) -> dict[str, Any]:
    """kill -9, and the same command again on the same port, with the same log."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        running = start(served, "echo", "--log", str(log))
        command = [served, "echo", "--log", str(log), "--port", str(urlsplit(running.url).port)]
        load = Load(running.url)
        killed, up, again = asyncio.run(_killed(load, running, command, clients))
        again.process.terminate()
        code = again.process.wait(60)
        lines = log.read_text().splitlines()
    torn = sum(not line.endswith("}") for line in lines)
    found = {
        "down_seconds": round(up - killed, 2),
        "answers": len(load.rights),
        "errors": len(load.errors),
        "errors_before": sum(at < killed for at in load.errors),
        "errors_after": sum(at > up + 0.25 for at in load.errors),
        "last_error_after_up": round(max(load.errors, default=up) - up, 3),
        "wrong_answers": load.wrong,
        "answers_after": sum(at > up for at in load.rights),
        "logged": len(lines),
        "torn_lines": torn,
        "exit_code": code,
    }
    print(json.dumps(found))
    return found
