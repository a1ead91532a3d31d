"""Requests for five adapters and the base model: at the same time, and one after the other, side by side."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from typing import Any

import httpx2

from on_serve.served import ADAPTERS, serving
from selfstudy.atlas import language, world
from selfstudy.prompts import Prompts


def questions(count: int, seed: int) -> list[dict[str, Any]]:
    """Requests about what atlas-lm knows, each for another adapter than the one before."""
    rng = random.Random(seed)
    facts = world.facts(known=True)
    names = ["base", *ADAPTERS]
    bodies = []
    for at, fact in enumerate(rng.sample(facts, count)):
        chat = Prompts().chat("answer", question=language.wordings(fact.attribute, fact.entity)[0])
        turns = [{"role": turn.role, "content": turn.content} for turn in chat if not turn.demonstration]
        bodies.append(
            {"model": names[at % len(names)], "messages": turns, "temperature": 0, "max_tokens": 64}
        )
    return bodies


async def _answers(url: str, bodies: list[dict[str, Any]], together: int) -> tuple[list[str], float]:
    """What each is answered, asked by so many at the same time; seconds for all."""
    found = [""] * len(bodies)
    todo = iter(range(len(bodies)))
    limits = httpx2.Limits(max_connections=together, max_keepalive_connections=together)
    async with httpx2.AsyncClient(timeout=300, limits=limits) as http:

        async def work() -> None:
            for at in todo:
                answer = await http.post(f"{url}/v1/chat/completions", json=bodies[at])
                found[at] = answer.raise_for_status().json()["choices"][0]["message"]["content"]

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(together)))
        return found, time.perf_counter() - began


def measure(count: int = 192, together: int = 64, repeats: int = 3, seed: int = 0) -> dict[str, Any]:
    """Both ways by turns, with the same requests; whether the answers are the same."""
    bodies = questions(count, seed)
    found: dict[str, list[float]] = {"one at a time": [], "together": []}
    answers: dict[str, list[str]] = {}
    with serving("mixed") as server:
        asyncio.run(_answers(server.url, bodies[:24], 8))
        for _ in range(repeats):
            for way, clients in (("one at a time", 1), ("together", together)):
                answers[way], seconds = asyncio.run(_answers(server.url, bodies, clients))
                found[way].append(count / seconds)
                print(f"{way:<14} {count / seconds:7.1f} requests/s", flush=True)
    ratio = statistics.median(b / a for a, b in zip(found["one at a time"], found["together"], strict=True))
    same = sum(a == b for a, b in zip(answers["one at a time"], answers["together"], strict=True))
    print(f"together is {ratio:.1f} times as fast; {same} of {count} answers are the same", flush=True)
    return {"requests_per_second": found, "ratio": ratio, "same": same, "count": count}
