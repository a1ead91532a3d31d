"""Servers for the benchmarks of `selfstudy serve`, each in a process of its own.

    python benchmarks/on_serve/served.py mixed|echo [--port N] [--log FILE] [--rows N]

mixed: atlas-lm with five small random adapters, by name.  echo: a model that says of each question which it
was, word by word, in no time: what is measured then is the server.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from selfstudy.models.base import Progress, Sampling, StopListening
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Completion
from selfstudy.screen import say
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.offer import BASE, ModelSource, Offer, Responder
from selfstudy.serve.server import ApiServer

ADAPTERS = tuple(f"group{number}-{number:08x}" for number in range(1, 6))
STEP = 0.002
"""Seconds of a word of the model `echo`."""


def echoed(question: str) -> str:
    """What `echo` answers: 40 words that no other question has."""
    digest = hashlib.sha256(question.encode()).hexdigest()
    return " ".join([question, *(digest[at % 60 : at % 60 + 4] for at in range(40))])


class EchoLM:
    """Answers a batch word by word, whoever still listens."""

    name = "echo"
    context = 100_000
    adapters = ADAPTERS

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        return self.generate_as(chats, [None] * len(chats), sampling, progress)

    def generate_as(
        self,
        chats: Sequence[Chat],
        adapters: Sequence[str | None],
        sampling: Sampling,
        progress: Progress | None = None,
        heard: Sequence[Callable[[str], object] | None] = (),
        settled: Callable[[int, list[Completion]], object] | None = None,
    ) -> list[list[Completion]]:
        answers = [echoed(chat[-1].content).split(" ") for chat in chats]
        left: set[int] = set()
        for length in range(1, max(map(len, answers)) + 1):
            time.sleep(STEP)
            for at, words in enumerate(answers):
                listener = heard[at] if heard else None
                if listener is not None and at not in left and length <= len(words):
                    try:
                        listener(" ".join(words[:length]))
                    except StopListening:
                        left.add(at)
        found = [[Completion(text=" ".join(words), tokens=len(words))] * sampling.n for words in answers]
        for at, row in enumerate(found):
            if settled is not None:
                settled(at, row)
        return found

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        return [[] for _ in texts]

    logprobs_as = logprobs  # type: ignore[assignment]


@dataclass
class ForBenchmarks(ModelSource):
    """`mixed` or `echo`."""

    def state(self) -> str:
        return ""

    def load(self) -> Offer:
        lm: Any = EchoLM() if self.place == "echo" else _mixed()
        named = {name: Responder(lm, name, label=name) for name in ADAPTERS}
        return Offer({BASE: Responder(lm), **named})


def _mixed() -> Any:
    import tempfile

    from selfstudy.models.local.mixed import MixedLM

    with tempfile.TemporaryDirectory() as folder:
        folders = {name: _adapter(Path(folder) / name, seed) for seed, name in enumerate(ADAPTERS)}
        return MixedLM(LocalModel(path="atlas"), folders)


def _adapter(folder: Path, seed: int) -> Path:
    """A random adapter of the rank that teach takes, small enough that answers stay answers."""
    import torch
    from peft import LoraConfig, get_peft_model

    from selfstudy.models import lora
    from selfstudy.models.local.lm import LocalLM

    torch.manual_seed(seed)
    lm = LocalLM(LocalModel(path="atlas"))
    wrapped = get_peft_model(lm.model, LoraConfig(r=16, target_modules="all-linear"))
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=1e-3)
    lora.save(wrapped, folder)
    return folder


@dataclass
class Running:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    def megabytes(self) -> float:
        """Of memory that it holds."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20


def start(*command: str) -> Running:
    """Waits until it serves."""
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("serving at "):
            return Running(process, line.split()[2].rstrip(",").removesuffix("/v1"))
    raise SystemExit(f"the server ended with {process.wait()}")


@contextmanager
def serving(kind: str, *arguments: str) -> Iterator[Running]:
    """One of ours, until the block ends."""
    running = start(__file__, kind, *arguments)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["mixed", "echo"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--rows", type=int, default=64)
    chosen = parser.parse_args()
    note = partial(say, err=True)
    limits = RequestLimits(rows=chosen.rows, queue=1024)
    source = ForBenchmarks(chosen.kind)
    server = ApiServer(source, port=chosen.port, limits=limits, log=chosen.log, say=note)
    note(f"serving at {server.url}/v1")
    server.run()


if __name__ == "__main__":
    main()
