"""The process that ends an engine, whatever becomes of its parent and of itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from selfstudy.models.server import watchdog

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(1, flush=True)
time.sleep(600)
"""
LAUNCHER = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {DEAF!r}], start_new_session=True)
exec({DEAF!r})
"""


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A watchdog over two processes, both deaf to SIGTERM, that have begun."""
    log = tmp_path / "log"
    order = {"command": [sys.executable, "-c", LAUNCHER], "log": str(log), "remove": []}
    process = subprocess.Popen(
        [sys.executable, "-P", watchdog.__file__, json.dumps(order)], stdin=subprocess.PIPE
    )
    while not log.exists() or log.read_text().count("1") < 2:
        time.sleep(0.05)
    below = psutil.Process(process.pid).children(recursive=True)
    yield process
    for one in below:
        with suppress(psutil.Error):
            one.kill()


def test_what_it_guards_is_gone_before_it_is(guard: subprocess.Popen[bytes]) -> None:
    below = psutil.Process(guard.pid).children(recursive=True)
    assert len(below) == 2
    guard.communicate(timeout=30)  # closes the pipe, as the end of the parent does
    assert not any(one.is_running() for one in below)


def test_a_second_signal_ends_the_politeness(guard: subprocess.Popen[bytes]) -> None:
    below = psutil.Process(guard.pid).children(recursive=True)
    guard.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    began = time.monotonic()
    guard.send_signal(signal.SIGQUIT)
    guard.wait(10)
    assert time.monotonic() - began < watchdog.GRACE_SECONDS / 2
    assert not any(one.is_running() for one in below)


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_its_own_kill_ends_the_engine(guard: subprocess.Popen[bytes]) -> None:
    (engine,) = psutil.Process(guard.pid).children()
    guard.send_signal(signal.SIGKILL)
    guard.wait()
    engine.wait(timeout=10)
