"""What the sections of benchmarks/gpu.py share: the device, its ceilings, a clock, a table."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from probe import questions
from selfstudy.prompts import Prompts
from selfstudy.records import Chat

Table = list[dict[str, Any]]


@dataclass
class Bench:
    """What the sections share: the device, its ceilings, and what was found."""

    device: torch.device
    sizes: list[str]
    data: Path
    bandwidth: float = 1e11
    peak: float = 1e12
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def tiny(self) -> bool:
        """Whether this is a trial of the benchmark itself."""
        return self.sizes == ["tiny"]

    def wait(self) -> None:
        """Until the device has done all that it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def free(self) -> None:
        """Gives back the memory of what is no longer used."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def seconds(self, work: Callable[[], object]) -> float:
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start

    def chats(self, count: int) -> list[Chat]:
        prompts = Prompts()
        return [prompts.chat("answer", question=text) for text in questions(count)[:count]]


def show(title: str, rows: Table) -> None:
    """Prints a Markdown table."""
    columns = list(rows[0])
    print(f"\n{title}\n\n| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for row in rows:
        print("| " + " | ".join(map(_cell, row.values())) + " |", flush=True)


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
