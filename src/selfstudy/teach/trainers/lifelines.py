"""How each of several processes that train together learns that another one has ended, and why.

A connection of each to the one that leads, which closes when a process does, however it ends.  Who waits for
one that is gone would else wait as long as a collective does: minutes, or for ever.  Knows nothing of what
they do together.
"""

from __future__ import annotations

import hmac
import json
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType

from selfstudy.errors import ModelError, SelfstudyError
from selfstudy.screen import printable, say

GRACE = 20.0
"""Seconds in which a process ends by itself once another one is gone; what waits on a card does not."""
NOTICED = 5.0
"""Seconds in which it is known who is gone, once something else has failed for it."""
COMING = 60.0
"""Seconds until all are connected."""
HELLO = 5.0
"""Seconds in which one that has connected must have said who it is."""
LONGEST = 2_000
"""Characters of why a process ends."""
AGAIN = "start all again: what is done is kept, and the training goes on or begins again"


class LostProcessError(SelfstudyError):
    """Another process has ended: no failure of what is being trained, which is never left out for it."""


@dataclass(frozen=True)
class LeaderAddress:
    """Where the one that leads is found, and what it is told by those that it waits for."""

    host: str
    port: int
    token: str
    pid: int


class Lifelines:
    """The connections of one process; its main thread makes them, and ends them.

    Attributes:
        gone: what is known of the first one that ended before all were done.
    """

    def __init__(self, others: Mapping[socket.socket, str]) -> None:
        """`others`: what each one is called."""
        self.gone = ""
        self._others = dict(others)
        self._noticed, self._ended = threading.Event(), threading.Event()
        self._before: signal.Handlers | None = None
        self._failing = False

    def watch(self) -> None:
        """From now on the main thread is interrupted where another one ends too early.

        Raises:
            LostProcessError: which one, and why if it said so; at any time until the end.
        """
        self._before = self._listen()
        threading.Thread(target=self._watch, daemon=True, name="lifelines").start()

    def why(self, *, soon: bool = True) -> str:
        """What is known of one that is gone; empty: all are there.  From now on nothing is interrupted.

        Args:
            soon: something has failed that fails where one is gone: it may be known in seconds.
        """
        self._failing = True
        if soon:
            self._noticed.wait(NOTICED)
        return self.gone

    def end(self, why: str = "") -> None:
        """This one has done its part, or ends for another reason, which the others are told."""
        self._ended.set()
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        said = json.dumps({"ended": printable(why)[:LONGEST]}).encode() + b"\n"
        for one in self._others:
            try:
                one.sendall(said)
                one.shutdown(socket.SHUT_WR)
            except OSError:  # it has ended before
                continue

    def _listen(self) -> signal.Handlers | None:
        """A launcher that sees a process die sends SIGTERM to all others, which are about to say why."""
        main = threading.current_thread() is threading.main_thread() and hasattr(signal, "pthread_kill")
        if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return None
        signal.signal(signal.SIGTERM, self._told_to_end)
        return signal.SIG_DFL

    def _told_to_end(self, number: int, frame: FrameType | None) -> None:
        end = time.monotonic() + 1.0
        while not self.gone and time.monotonic() < end:  # no lock: what was interrupted may hold it
            time.sleep(0.02)
        if not self.gone:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        elif not (self._failing or self._ended.is_set()):
            raise parted(self.gone)

    def _watch(self) -> None:
        said = dict.fromkeys(self._others, b"")
        with selectors.DefaultSelector() as ready:
            for one in self._others:
                ready.register(one, selectors.EVENT_READ, one)
            while ready.get_map():
                for key, _ in ready.select():
                    other: socket.socket = key.data
                    if part := _received(other):
                        said[other] = (said[other] + part)[: 8 * LONGEST]
                        continue
                    ready.unregister(other)
                    other.close()
                    self._has_ended(self._others[other], said[other])

    def _has_ended(self, who: str, said: bytes) -> None:
        why = _farewell(said)
        if why == "" or self.gone or self._ended.is_set():
            return
        self.gone = f"{who} has ended: {why}" if why else f"{who} was killed, or its machine is lost"
        self._noticed.set()
        if self._before is not None:  # it may be busy elsewhere, and not wait for the one that is gone
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        threading.Thread(target=self._end_by_force, daemon=True).start()

    def _end_by_force(self) -> None:
        if not self._ended.wait(GRACE):
            say(f"error: {parted(self.gone)}", err=True)
            os._exit(LostProcessError.exit_code)


def parted(gone: str) -> LostProcessError:
    """What the others say of one that is gone."""
    return LostProcessError(f"{gone}; those that trained with it cannot go on", AGAIN)


def tie(
    rank: int, count: int, here: int, tell: Callable[[LeaderAddress | None], LeaderAddress | None]
) -> Lifelines:
    """Connects this process with the one that leads (rank 0), or that one with all others.

    Args:
        here: how many of them are on this machine.

    Raises:
        ModelError: they do not reach each other.
    """
    if rank:
        address = tell(None)
        assert address is not None
        return Lifelines(
            {_connected(address, rank): f"process 0 (pid {address.pid}), which leads this training,"}
        )
    host = "127.0.0.1" if here == count else os.environ.get("MASTER_ADDR") or socket.gethostname()
    with _server("127.0.0.1" if here == count else "") as server:
        address = LeaderAddress(host, server.getsockname()[1], os.urandom(16).hex(), os.getpid())
        tell(address)
        return Lifelines(_accepted(server, address, count))


def _server(host: str) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server((host, 0))


def _connected(address: LeaderAddress, rank: int) -> socket.socket:
    try:
        found = socket.create_connection((address.host, address.port), timeout=COMING)
        hello = {"token": address.token, "rank": rank, "pid": os.getpid(), "host": socket.gethostname()}
        found.sendall(json.dumps(hello).encode() + b"\n")
    except OSError as error:
        raise ModelError(
            f"process {rank} does not reach the one that leads at {address.host}:{address.port}: {error}",
            "machines that train together must reach each other on all ports, as torch itself needs it",
        ) from None
    return _lasting(found)


def _accepted(server: socket.socket, address: LeaderAddress, count: int) -> dict[socket.socket, str]:
    """A connection of each of the others; strangers are sent away."""
    found: dict[int, tuple[socket.socket, str]] = {}
    until = time.monotonic() + COMING
    while len(found) < count - 1:
        server.settimeout(max(0.01, until - time.monotonic()))
        try:
            one, _ = server.accept()
        except OSError:
            missing = sorted(set(range(1, count)) - found.keys())
            raise ModelError(
                f"processes {', '.join(map(str, missing))} did not reach {address.host}:{address.port} in "
                f"{COMING:.0f} s",
                "machines that train together must reach each other on all ports; see what these have said",
            ) from None
        hello = _hello(one, address.token)
        rank = hello.get("rank")
        if not isinstance(rank, int) or not 0 < rank < count or rank in found:
            one.close()
            continue
        name = f"process {rank} of {count} (pid {hello.get('pid')} on {str(hello.get('host'))[:100]})"
        found[rank] = _lasting(one), name
    return dict(found.values())


def _hello(one: socket.socket, token: str) -> dict[str, object]:
    """What one that has just connected says of itself; empty if it is a stranger."""
    said, end = b"", time.monotonic() + HELLO
    while b"\n" not in said and len(said) < LONGEST and (left := end - time.monotonic()) > 0:
        one.settimeout(left)
        if not (part := _received(one)):
            break
        said += part
    try:
        found = json.loads(said)
        known = hmac.compare_digest(str(found["token"]).encode(), token.encode())
    except (ValueError, TypeError, KeyError):
        return {}
    return found if known else {}


def _lasting(one: socket.socket) -> socket.socket:
    """A connection that waits as long as it takes, and notices in half a minute that a machine is lost."""
    one.settimeout(None)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            one.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return one


def _received(one: socket.socket) -> bytes:
    """What comes; nothing: the connection has ended."""
    try:
        return one.recv(4096)
    except OSError:
        return b""


def _farewell(said: bytes) -> str | None:
    """Why one ended, as it said itself; empty: it was done; None: it said nothing."""
    try:
        return str(json.loads(said)["ended"])[:LONGEST]
    except (ValueError, TypeError, KeyError):
        return None
