"""A probe of the embedded model by one worker, two, and one process; and what the machine itself allows."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from on_workers.measured import Watched, cpu_of_workers
from selfstudy import Run, Study, atlas, load_recipe
from selfstudy.models.base import Sampling, chat
from selfstudy.models.scale import RayWorkers
from selfstudy.recipe import LocalModel, Recipe, ScaleBlock

BOUND = 1.7
SCRIPT = Path(__file__).parent.parent / "workers.py"
WARM = 24
"""Questions of the probe before the one that is timed."""
DECODED = 192
"""Prompts of the ceiling."""


@dataclass(frozen=True)
class Size:
    questions: int
    block_size: int
    token_budget: int

    @property
    def words(self) -> list[str]:
        questions, block, tokens = map(str, astuple(self))
        return ["--questions", questions, "--block-size", block, "--token-budget", tokens]


def recipe(size: Size, questions: int, workers: int) -> Recipe:
    scale = [f"scale={{workers: {workers}, cpus: 1}}"] if workers else []
    asked = f"probe.ask=[{{method: documents, count: {questions}, per_chunk: 3, proposals: 1, check: none}}]"
    settings = ["smoke=skip", asked, f"answering.block_size={size.block_size}", *scale]
    settings.append(f"model.token_budget={size.token_budget}")
    return load_recipe(Path(atlas.__file__).with_name("demo.yaml"), settings)


def child(kind: str, size: Size) -> None:
    """What a process of its own measures, as JSON on stdout."""
    import torch

    torch.set_num_threads(1)
    print(json.dumps(decoded() if kind == "plain" else probed(size, int(kind))))


def probed(size: Size, workers: int) -> dict[str, Any]:
    """One probe, with everything started and loaded before; the clock, and where the time went."""
    pool = RayWorkers(ScaleBlock(workers=workers, cpus=1)) if workers else None
    with tempfile.TemporaryDirectory(prefix="workers-") as folder:
        try:
            warm = recipe(size, WARM * max(1, workers), workers)
            timed(warm, Path(folder) / "warm", pool)
            return timed(recipe(size, size.questions, workers), Path(folder) / "run", pool)
        finally:
            if pool is not None:
                pool.close()


def timed(found: Recipe, folder: Path, pool: RayWorkers | None) -> dict[str, Any]:
    watched = None if pool is None else Watched(pool)
    with Run.create_or_resume(folder, found) as run, Study(run) as study:
        if watched is not None:
            study.workers = watched
        _ = study.nli, study.embedder, study.language_models.get(found.model)  # loaded, not timed
        if watched is not None:
            watched.spent.clear()
        theirs = cpu_of_workers()
        begun, own = time.perf_counter(), own_cpu()
        study.probe()
        seconds, own = time.perf_counter() - begun, own_cpu() - own
        now = cpu_of_workers()
    answers = (folder / "rounds/1/answers.jsonl").read_bytes()
    return {
        "seconds": seconds,
        "driver": own,
        "workers": [now[pid] - theirs.get(pid, 0.0) for pid in sorted(now)],
        "answers": hash_of(answers),
        "questions": answers.count(b"\n"),
        "spent": {} if watched is None else {name: vars_of(one) for name, one in watched.spent.items()},
    }


def hash_of(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()[:16]


def vars_of(one: Any) -> dict[str, float]:
    return {"calls": one.calls, "units": one.units, "items": one.items, "seconds": one.seconds}


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def decoded() -> dict[str, float]:
    """Seconds of answering the same questions in this process, from a line on stdin on."""
    from selfstudy.atlas import language, world
    from selfstudy.models import load_lm

    lm = load_lm(LocalModel(path="atlas"))
    facts = world.facts()
    asked = [language.wordings(f.attribute, f.entity)[0] for f in facts[:: len(facts) // DECODED]][:DECODED]
    chats = [chat(text) for text in asked]
    sampling = Sampling(n=10, greedy_first=True, max_new_tokens=48)
    lm.generate(chats[:16], sampling)
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.perf_counter()
    lm.generate(chats, sampling)
    return {"seconds": time.perf_counter() - begun}


def main(size: Size, repetitions: int) -> bool:
    """Whether the bound holds, of medians."""
    one, two = ceiling(1), ceiling(2)
    ceilings = [2 * one / two]
    print(
        f"ceiling: {DECODED} questions, 11 answers each: {one:.2f} s in one process; {two:.2f} s in each of "
        f"two at once: {ceilings[0]:.2f} times",
        flush=True,
    )
    print(
        f"\na probe of {size.questions} questions in blocks of {size.block_size}, batches of up to "
        f"{size.token_budget:,} tokens; start-up and loading are not in it\n"
        f"{'who':>14} {'seconds':>8} {'/s':>6} {'driver CPU':>11} {'workers CPU':>16}  in workers, seconds"
    )
    found: dict[int, list[dict[str, Any]]] = {0: [], 1: [], 2: []}
    for _ in range(repetitions):
        for workers in (1, 2, 0):
            one_run = json.loads(start(str(workers), size).communicate()[0].splitlines()[-1])
            found[workers].append(one_run)
            show(workers, one_run)
    one, two = ceiling(1), ceiling(2)
    ceilings.append(2 * one / two)
    median = {w: statistics.median(run["seconds"] for run in runs) for w, runs in found.items()}
    same = {run["answers"] for runs in found.values() for run in runs}
    pairs = [a["seconds"] / b["seconds"] for a, b in zip(found[1], found[2], strict=True)]
    ratio = median[1] / median[2]
    busy = {w: statistics.median(run["driver"] + max(run["workers"]) for run in found[w]) for w in (1, 2)}
    print(
        f"ceiling again: {ceilings[1]:.2f} times\n"
        f"medians: one worker {median[1]:.2f} s, two {median[2]:.2f} s, without any {median[0]:.2f} s\n"
        f"two workers against one: {ratio:.2f} times (pairs: {', '.join(f'{one:.2f}' for one in pairs)}); "
        f"against one process without workers {median[0] / median[2]:.2f}; of the machine's ceiling "
        f"{ratio / statistics.mean(ceilings):.2f}\n"
        "by CPU of the driver and the busiest worker, which other programs do not lengthen: "
        f"{busy[1]:.2f} s and {busy[2]:.2f} s, {busy[1] / busy[2]:.2f} times\n"
        f"the answers of all are {'the same bytes' if len(same) == 1 else 'DIFFERENT'}\n"
        f"at least {BOUND:g} times: {'reached' if ratio >= BOUND else 'MISSED'}",
        flush=True,
    )
    return ratio >= BOUND and len(same) == 1


def show(workers: int, run: dict[str, Any]) -> None:
    name = ("one process", "one worker", "two workers")[workers]
    spent = sorted(run["spent"].items(), key=lambda item: -item[1]["seconds"])
    inside = "; ".join(
        f"{method} {one['seconds']:.1f} s, {one['calls']} calls, {one['units']} units of "
        f"{one['items'] / one['units']:.0f}"
        for method, one in spent
        if one["seconds"] >= 0.05
    )
    rest = run["seconds"] - sum(one["seconds"] for one in run["spent"].values())
    inside += f"; elsewhere {rest:.1f} s" if workers else ""
    cpu = " + ".join(f"{one:.1f}" for one in run["workers"]) or "-"
    print(
        f"{name:>14} {run['seconds']:>8.2f} {run['questions'] / run['seconds']:>6.1f} {run['driver']:>11.2f} "
        f"{cpu:>16}  {inside}",
        flush=True,
    )


def start(kind: str, size: Size) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), "atlas", "--one", kind, *size.words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ceiling(processes: int) -> float:
    """Seconds of plain answering, of so many processes that begin at once: the mean."""
    running = [start("plain", Size(0, 1, 1)) for _ in range(processes)]
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    said = [json.loads(one.communicate()[0]) for one in running]
    return statistics.mean(float(one["seconds"]) for one in said)
