"""What tests ask the stand-in engine, and what it has noted."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil

from selfstudy.models.base import GREEDY, chat

FAKE = Path(__file__).with_name("fake_engine.py")
HELLO = [chat("Who are you?")]
GONE_SECONDS = 10.0
"""From the kill on; what does not end politely takes 5 s."""


def noted(workshop: Path, name: str) -> list[dict[str, Any]]:
    file = workshop / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def said(lm: Any) -> str:
    return str(lm.generate(HELLO, GREEDY)[0][0].text)


def gone(pid: int, deadline: float | None = None) -> bool:
    """Whether the process ends by then."""
    deadline = time.monotonic() + GONE_SECONDS if deadline is None else deadline
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
