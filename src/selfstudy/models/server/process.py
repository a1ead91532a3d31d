"""One engine process on this machine: started, waited for, ended; and the few HTTP calls that need no client.

It ends with this process, also after kill -9: watchdog.py sees to that.  Knows nothing of language models.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selfstudy.errors import ModelError
from selfstudy.models.server import engines
from selfstudy.models.server.engines import Engine, Launch

HOST = "127.0.0.1"
POLL_SECONDS = 0.2
STOP_SECONDS = 15.0
"""Longest wait until a stopped server is gone; the watchdog itself takes about 8 s at most."""
TAIL_LINES = 15
"""Lines of the engine's log in an error."""
_WATCHDOG = Path(__file__).with_name("watchdog.py")


class Server:
    """An engine that this process started; `stop` ends it, and so does the end of this process."""

    def __init__(
        self, engine: Engine, launch: Launch, args: Mapping[str, Any], folders: Sequence[Path]
    ) -> None:
        """Starts the engine and returns at once.

        Args:
            folders: what is only needed while it runs; removed when it has ended.
        """
        folder = Path(tempfile.mkdtemp(prefix="selfstudy-server-"))
        self._folders = [folder, *folders]
        self.engine = engine
        self.launch = launch
        self.called = engine.called(launch)
        self.command = engines.command(engine, launch, args)
        self.adapters: set[str] = set()
        self.stop_at: tuple[str, ...] = ()
        """Strings that end an answer of this model, beside those that are asked for."""
        log = folder / "engine.log"
        log.touch()
        self._log = log.open("rb")  # readable after the folder is gone
        order = {"command": self.command, "log": str(log), "remove": [str(one) for one in self._folders]}
        self._watchdog = subprocess.Popen(
            [sys.executable, "-P", str(_WATCHDOG), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**_environment(), **engine.environment(launch)},
            start_new_session=True,  # Ctrl-C is for us: we then end it in order
        )

    @property
    def url(self) -> str:
        return f"http://{self.launch.host}:{self.launch.port}"

    @property
    def alive(self) -> bool:
        return self._watchdog.poll() is None

    def ended(self) -> bool:
        """Whether it has ended; if it does not answer, its watchdog gets the time to clean up and say so."""
        if self.alive and not answers(self.url + self.engine.health):
            with suppress(subprocess.TimeoutExpired):
                self._watchdog.wait(STOP_SECONDS)
        return not self.alive

    def wait(self, seconds: float) -> bool:
        """Waits until it answers; False if it ended or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.alive:
            if answers(self.url + self.engine.health) and self.alive:
                return True
            time.sleep(POLL_SECONDS)
        return False

    def log_tail(self) -> str:
        """The last lines of what the engine printed, indented."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 20_000))
        lines = self._log.read().decode(errors="replace").splitlines()
        return (
            "\n".join(f"    {line[:200]}" for line in lines[-TAIL_LINES:] if line.strip()) or "    (nothing)"
        )

    def stop(self) -> None:
        """Ends the engine and all that it started; harmless when it has ended."""
        if self._watchdog.stdin is not None:
            with suppress(OSError):
                self._watchdog.stdin.close()
        try:
            self._watchdog.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            import psutil

            watchdog = psutil.Process(self._watchdog.pid)
            for process in [*watchdog.children(recursive=True), watchdog]:
                with suppress(psutil.Error):
                    process.kill()
            for folder in self._folders:
                shutil.rmtree(folder, ignore_errors=True)
        self._log.close()


def _environment() -> dict[str, str]:
    """Ours without keys of APIs: engines need none, and vLLM demands of us what it finds in VLLM_API_KEY."""
    return {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}


def answers(url: str, timeout: float = 2.0) -> bool:
    """Whether GET `url` gives 200. Asks without any proxy."""
    try:
        return fetch(url, timeout)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def fetch(url: str, timeout: float, body: object = None) -> tuple[int, bytes]:
    """Status and body of a GET, or of a POST when there is something to send as JSON."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or HOST, parts.port, timeout=timeout)
    try:
        if body is None:
            connection.request("GET", parts.path or "/")
        else:
            connection.request("POST", parts.path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def check_free(port: int) -> None:
    """Checks that nobody listens on a port: a foreign server would be taken for ours.

    Raises:
        ModelError: somebody does.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # our last server may just have ended
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise ModelError(
                f"port {port} is taken: {error.strerror}",
                "stop what listens there, use it with `url`, or leave `port` out",
            ) from None


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
