"""Simulated engines behind one URL, asked by workers: what share of what they allow, and who pays for it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from on_workers.measured import cpu_of_ray, cpu_of_workers
from selfstudy.models.base import Sampling, chat
from selfstudy.models.remote.lm import RemoteLM
from selfstudy.models.scale import RayWorkers
from selfstudy.models.spread.lm import lm_spec, spread_lm
from selfstudy.recipe import RemoteModel, ScaleBlock

BOUND_SHARE, BOUND_MS = 0.9, 1.0
BLOCK = 4096
"""Questions of a call: `answering.block_size`."""


@contextmanager
def served(engines: int, seconds: float) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The URL of a server of its own process, and that process."""
    command = [sys.executable, str(Path(__file__).with_name("server.py")), str(engines), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1", server
        finally:
            server.kill()


def since(server: subprocess.Popen[str]) -> dict[str, float]:
    """What the server did since it was last asked."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\n")
    server.stdin.flush()
    found: dict[str, float] = json.loads(server.stdout.readline())
    return found


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(engines: list[int], seconds: float, workers: int, questions: int, repetitions: int) -> bool:
    """Whether both bounds hold at the first number of engines; prints a row for each."""
    print(
        f"\n{workers} workers, each with up to {RemoteModel(model='m').concurrency} requests under way; "
        f"blocks of {BLOCK:,} questions, one completion each; an engine takes {1000 * seconds:.0f} ms.\n"
        "CPU in ms per question: of this process (the driver), of the workers together, of Ray's own "
        "processes,\nof the server; cores: how many all of them kept busy.\n"
        "One process: RemoteLM in this process, without workers."
    )
    print(
        f"{'engines':>8} {'allowed/s':>9} {'who asks':>12} {'reached/s':>9} {'share':>6} {'busy':>6} "
        f"{'driver':>7} {'workers':>8} {'ray':>5} {'server':>7} {'cores':>6}"
    )
    good = False
    with_workers = RayWorkers(ScaleBlock(workers=workers, cpus=0.5), print)
    try:
        for number, count in enumerate(engines):
            best: tuple[float, float] = (0.0, 0.0)
            for _ in range(repetitions):
                best = max(best, one(with_workers, count, seconds, questions))
            here(count, seconds, questions)
            if number == 0:
                good = best[0] >= BOUND_SHARE and best[1] < BOUND_MS
                bounds = f"at least {BOUND_SHARE:g} of it, under {BOUND_MS:g} ms of the driver"
                print(f"    {bounds}: {'reached' if good else 'MISSED'}", flush=True)
    finally:
        with_workers.close()
    return good


def one(workers: RayWorkers, engines: int, seconds: float, questions: int) -> tuple[float, float]:
    """Share of what the engines allow, and the driver's ms per question."""
    with served(engines, seconds) as (url, server):
        block = RemoteModel(model="m", base_url=url)
        lm = spread_lm(block, workers, cache=False)
        ask(lm, 256, "warm")  # every worker loads the model, opens connections, learns how fast it may ask
        ask(lm, 256, "warmer")
        since(server)
        own, theirs, rays = own_cpu(), cpu_of_workers(), cpu_of_ray()
        begun = time.perf_counter()
        ask(lm, questions, "asked")
        taken = time.perf_counter() - begun
        own = own_cpu() - own
        now = cpu_of_workers()
        spent = sum(now.values()) - sum(theirs.get(pid, 0.0) for pid in now)
        row(
            engines,
            seconds,
            f"{workers.count} workers",
            questions,
            taken,
            own,
            spent,
            cpu_of_ray() - rays,
            server,
        )
        share = questions / taken / (engines / seconds)
        workers.forget(lm_spec(block, cache=False))
    return share, 1000 * own / questions


def here(engines: int, seconds: float, questions: int) -> None:
    """The same in this process alone."""
    with served(engines, seconds) as (url, server):
        lm = RemoteLM(RemoteModel(model="m", base_url=url))
        ask(lm, 256, "warm")
        since(server)
        own, begun = own_cpu(), time.perf_counter()
        ask(lm, questions, "asked")
        taken = time.perf_counter() - begun
        row(engines, seconds, "one process", questions, taken, own_cpu() - own, 0.0, 0.0, server)
        lm.close()


def ask(lm: object, questions: int, word: str) -> None:
    chats = [
        chat(f"What is the capital of country {word} {i}?", "You are an eager student.")
        for i in range(questions)
    ]
    sampling = Sampling(n=1, greedy_first=False)
    found = []
    for start in range(0, questions, BLOCK):
        found += lm.generate(chats[start : start + BLOCK], sampling)  # type: ignore[attr-defined]
    if len(found) != questions or any(one[0].finish == "error" for one in found):
        raise SystemExit("not all questions were answered")


def row(
    engines: int,
    seconds: float,
    name: str,
    questions: int,
    taken: float,
    own: float,
    workers: float,
    rays: float,
    server: subprocess.Popen[str],
) -> None:
    did = since(server)
    allowed = engines / seconds
    cores = (own + workers + rays + did["cpu"]) / taken
    each = (1000 * part / questions for part in (own, workers, rays, did["cpu"]))
    own_ms, workers_ms, rays_ms, server_ms = each
    print(
        f"{engines:>8} {allowed:>9.0f} {name:>12} {questions / taken:>9.0f} "
        f"{questions / taken / allowed:>6.2f} {did['busy']:>6.1f} {own_ms:>7.2f} {workers_ms:>8.2f} "
        f"{rays_ms:>5.2f} {server_ms:>7.2f} {cores:>6.2f}",
        flush=True,
    )
