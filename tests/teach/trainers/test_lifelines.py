"""One that ends is named by the others, at once, whatever they are doing."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.teach.trainers import lifelines
from selfstudy.teach.trainers.lifelines import LeaderAddress, Lifelines, LostProcessError, tie


def child(rank: int, count: int, told: Connection, why: str | None) -> None:
    """Comes, and ends if it is told why; else it stays."""
    lines = tie(rank, count, count, lambda _: told.recv())
    lines.watch()
    if why is None:
        time.sleep(60)
    lines.end(why or "")


@contextmanager
def leading(*ends: str | None) -> Iterator[tuple[Lifelines, list[Any]]]:
    """This process leads; of each of the others, why it ends at once (None: it does not)."""
    context = multiprocessing.get_context("spawn")
    count, pipes = len(ends) + 1, [context.Pipe(duplex=False) for _ in ends]
    others = [
        context.Process(target=child, args=(rank, count, pipes[rank - 1][0], why))
        for rank, why in enumerate(ends, 1)
    ]
    for one in others:
        one.start()

    def tell(address: LeaderAddress | None) -> LeaderAddress | None:
        for _, pipe in pipes:
            pipe.send(address)
        return address

    lines = tie(0, count, count, tell)
    try:
        yield lines, others
    finally:
        lines.end()
        for one in others:
            one.kill()
            one.join(20)


def busy(lines: Lifelines) -> None:
    """With something that does not wait for the others."""
    lines.watch()
    time.sleep(30)


def test_one_that_is_killed_is_named_and_what_the_leader_does_meanwhile_ends() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with leading(None, None) as (lines, others):
        named = rf"process 2 of 3 \(pid {others[1].pid} on .*\) was killed"
        os.kill(others[1].pid, signal.SIGKILL)
        with pytest.raises(LostProcessError, match=named) as told:
            busy(lines)
        assert "start all again" in told.value.hint
        assert lines.why() == lines.gone != ""
    assert signal.getsignal(signal.SIGTERM) is before


def test_one_that_fails_says_why_and_one_that_is_done_is_not_missed() -> None:
    with leading("", "CUDA out of memory") as (lines, _):
        with pytest.raises(LostProcessError, match="process 2 of 3"):
            busy(lines)
        assert lines.gone.endswith("has ended: CUDA out of memory")
    with leading("") as (lines, others):
        lines.watch()
        others[0].join(20)
        time.sleep(0.2)
        assert not lines.gone


def test_a_stranger_is_sent_away() -> None:
    told: queue.Queue[LeaderAddress | None] = queue.Queue()
    found: list[Lifelines] = []

    def lead() -> None:
        found.append(tie(0, 2, 2, lambda address: told.put(address) or address))
        found[0].watch()

    leader = threading.Thread(target=lead)
    leader.start()
    address = told.get(timeout=20)
    assert address is not None
    assert address.host == "127.0.0.1"  # nobody else can reach it where all are on one machine
    for said in (b"GET / HTTP/1.1\r\n\r\n", b'{"token": "no", "rank": 1}\n', b"[1]\n", b"\xff\n"):
        with socket.create_connection((address.host, address.port), timeout=20) as stranger:
            stranger.sendall(said)
            assert stranger.recv(1) == b""
    other = tie(1, 2, 2, lambda _: address)
    leader.join(20)
    other.end("a reason")
    name = f"process 1 of 2 (pid {os.getpid()} on {socket.gethostname()})"
    assert found[0].why() == f"{name} has ended: a reason"
    found[0].end()


def test_a_stranger_who_never_ends_a_line_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifelines, "HELLO", 0.2)
    here, there = socket.socketpair()
    sent, done = [], threading.Event()

    def drip() -> None:
        while not done.wait(0.02) and len(sent) < 200:
            there.sendall(b"x")
            sent.append(1)

    slow = threading.Thread(target=drip)
    slow.start()
    with here, there:
        assert lifelines._hello(here, "token") == {}
        done.set()
        slow.join(20)
    assert len(sent) < 100


def test_who_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifelines, "COMING", 0.05)
    with pytest.raises(ModelError, match=r"processes 1, 2 did not reach 127\.0\.0\.1:\d+"):
        tie(0, 3, 3, lambda address: address)
    with pytest.raises(ModelError, match=r"process 1 does not reach the one that leads at 127\.0\.0\.1:1"):
        tie(1, 2, 2, lambda _: LeaderAddress("127.0.0.1", 1, "", 0))


STUCK = """
import os, signal, socket, sys, threading
from selfstudy.teach.trainers import lifelines
lifelines.GRACE = 0.2
here, there = socket.socketpair()
lines = lifelines.Lifelines({here: "process 0 (pid 7), which leads this training,"})
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # as one that waits on a card
lines.watch()
there.close()
threading.Event().wait()
"""


def test_one_that_waits_for_ever_ends_by_force() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == LostProcessError.exit_code
    assert done.stderr.startswith(
        "error: process 0 (pid 7), which leads this training, was killed, or its machine is lost; "
    )
    assert "start all again" in done.stderr
