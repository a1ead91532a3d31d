"""One engine process on this machine: started, waited for, ended; and the few HTTP calls that need no client.

It ends with this process, also after kill -9: guarded.py sees to that.  It is believed to be the engine only
as long as what listens on its port has been started by us.  Knows nothing of language models.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from selfstudy.environment import child_environment
from selfstudy.errors import ModelError
from selfstudy.files import reading
from selfstudy.models.server import engines
from selfstudy.models.server.engines import Engine, Launch
from selfstudy.models.server.guarded import STOP_SECONDS, Guarded
from selfstudy.models.server.listener import Listener
from selfstudy.text import clean

HOST = "127.0.0.1"
POLL_SECONDS = 0.2
LONGEST_REPLY = 4 * 2**20
"""Bytes of an answer to one of the few calls here."""

Outcome = Literal["ready", "ended", "late", "taken"]
"""What came of waiting for an engine; `taken`: somebody else listens on its port."""


class Server:
    """An engine that this process started; `stop` ends it, and so does the end of this process."""

    def __init__(
        self,
        engine: Engine,
        launch: Launch,
        args: Mapping[str, Any],
        folders: Sequence[Path],
        reserved: socket.socket | None = None,
    ) -> None:
        """Starts the engine and returns at once.

        Args:
            folders: what is only needed while it runs; removed when it has ended.
            reserved: what keeps the port free for it until it listens; closed then.
        """
        self.engine = engine
        self.launch = launch
        self.called = engine.called(launch)
        self.command = engines.command(engine, launch, args)
        self.adapters: set[str] = set()
        self.completes = False
        """Whether the model completes plain text (models/plain.py)."""
        self._reserved = reserved
        self._guarded = Guarded(self.command, _environment(engine, launch), folders)
        self._listener = Listener(launch.port, self._guarded.pid)

    @property
    def url(self) -> str:
        return f"http://{self.launch.host}:{self.launch.port}"

    @property
    def alive(self) -> bool:
        return self._guarded.alive

    @property
    def holds_port(self) -> bool:
        """Whether it runs, and gets what is sent to its port."""
        return self.alive and self._listener.standing() == "ours"

    @property
    def robbed(self) -> bool:
        """Whether somebody else gets what is sent to its port."""
        return self._listener.standing() == "foreign"

    def ended(self) -> bool:
        """Whether it has ended; if it does not answer, its watchdog gets the time to clean up and say so."""
        silent = not (self.holds_port and answers(self.url + self.engine.health))
        if self.alive and silent and not self.robbed:
            self._guarded.wait(STOP_SECONDS)
        return not self.alive

    def wait(self, seconds: float) -> Outcome:
        """Waits until it answers; what came of it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            standing = self._listener.standing()
            if not self.alive:
                return "ended"
            if standing == "foreign":
                return "taken"
            if standing == "ours":
                self._release()
                if answers(self.url + self.engine.health) and self.holds_port:
                    return "ready"
            time.sleep(POLL_SECONDS)
        return "late"

    def log_tail(self) -> str:
        """The last lines of what the engine printed, indented, without what a terminal would obey."""
        return self._guarded.log_tail()

    def stop(self) -> None:
        """Ends the engine and all that it started; harmless when it has ended.

        Raises:
            KeyboardInterrupt: a Ctrl-C came meanwhile; then the engine was ended without more politeness.
        """
        self._release()
        self._guarded.stop()

    def _release(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None


def _environment(engine: Engine, launch: Launch) -> dict[str, str]:
    """Neither keys nor the network of a Hub for an engine that has its model on this machine.

    What lies in the working folder is no module of the engine's.
    """
    mine = {**engine.environment(launch), "PYTHONSAFEPATH": "1", "SPT_NOENV": "1"}
    downloads = engine.weights == "folder" and not reading.is_folder(Path(launch.model))
    if not downloads:
        mine |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return child_environment(downloads=downloads, mine=mine)


def shown(text: str, most: int = 300) -> str:
    """What a program said, for a person: without what a terminal would obey, and not longer than `most`."""
    return clean(text)[:most]


def answers(url: str, timeout: float = 2.0) -> bool:
    """Whether GET `url` gives 200. Asks without any proxy."""
    try:
        return fetch(url, timeout)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def fetch(url: str, timeout: float, body: object = None) -> tuple[int, bytes]:
    """Status and body of a GET, or of a POST when there is something to send as JSON.

    Args:
        timeout: seconds for all of it.

    Raises:
        OSError, http.client.HTTPException: no answer in time, one that is too long, or none at all.
    """
    deadline = time.monotonic() + timeout
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or HOST, parts.port, timeout=timeout)
    try:
        if body is None:
            connection.request("GET", parts.path or "/")
        else:
            connection.request("POST", parts.path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, _body(response, connection, deadline)
    finally:
        connection.close()


def _body(
    response: http.client.HTTPResponse, connection: http.client.HTTPConnection, deadline: float
) -> bytes:
    found = b""
    while part := response.read1(65_536):
        found += part
        if len(found) > LONGEST_REPLY:
            raise http.client.HTTPException(f"a reply of more than {LONGEST_REPLY:,} bytes")
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no whole reply in time")
        if connection.sock is not None:
            connection.sock.settimeout(left)
    return found


def reserve_port(port: int | None = None) -> tuple[int, socket.socket]:
    """A port of the loopback interface, and a socket that keeps it until the engine listens there.

    The socket only lies on the port, on Linux: an engine that sets SO_REUSEADDR, as all do, may listen beside
    it, while the system gives the port to nobody else who asks for any free one.

    Args:
        port: None: a free one.

    Raises:
        ModelError: somebody listens there already.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # our last server may just have ended
    try:
        keeper.bind((HOST, port or 0))
        if sys.platform == "linux":
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found = int(keeper.getsockname()[1])
    except OSError as error:
        keeper.close()
        raise ModelError(
            f"port {port} is taken: {error.strerror}",
            "stop what listens there, use it with `url`, or leave `port` out",
        ) from None
    if sys.platform != "linux":  # elsewhere nobody may listen beside it
        keeper.close()
    return found, keeper
