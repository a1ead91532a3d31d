"""A command that ends with this process, however this one ends: two watchdogs see to that (watchdog.py).

What it prints goes to a log in a folder of its own, which is gone when it has ended.  Knows nothing of what
the command is.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from selfstudy.models.server import leftovers
from selfstudy.text import clean

STOP_SECONDS = 18.0
"""Longest wait until it is gone; the watchdogs themselves take about 8 s at most."""
TAIL_LINES = 15
"""Lines of its log in an error."""
LINE_LENGTH = 200
_TAIL_BYTES = 20_000
_WATCHDOG = Path(__file__).with_name("watchdog.py")


class Guarded:
    """A command that this process started; `stop` ends it, and so does the end of this process.

    Attributes:
        folder: its own, for this user alone, as long as it runs.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folders: Sequence[Path] = ()
    ) -> None:
        """Starts the command and returns at once.

        Args:
            environment: all of what it gets.
            folders: what is only needed while it runs; removed when it has ended.
        """
        self.folder = leftovers.make_folder("selfstudy-server")
        self._folders = [self.folder, *folders]
        self._mark = f"{leftovers.mark()}/{self.folder.name}"
        log = self.folder / "log"
        try:
            log.touch(0o600)
            self._log = log.open("rb")  # readable after the folder is gone
            self._watchdog = self._started(command, environment, log)
        except BaseException:
            for one in self._folders:
                shutil.rmtree(one, ignore_errors=True)
            raise

    def _started(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        order = {
            "command": list(command),
            "log": str(log),
            "remove": [str(one) for one in self._folders],
            "mark": self._mark,
            "twice": True,
        }
        return subprocess.Popen(
            [sys.executable, "-P", str(_WATCHDOG), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            start_new_session=True,  # Ctrl-C is for us: we then end it in order
        )

    @property
    def pid(self) -> int:
        """Of the watchdog, below which the command runs."""
        return self._watchdog.pid

    @property
    def alive(self) -> bool:
        return self._watchdog.poll() is None

    def wait(self, seconds: float) -> int | None:
        """Its exit code; None: it has not ended by then."""
        with suppress(subprocess.TimeoutExpired):
            return self._watchdog.wait(seconds)
        return None

    def said(self, most: int = _TAIL_BYTES) -> str:
        """What it printed last, without what a terminal would obey."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - most))
        return clean(self._log.read(most).decode(errors="replace"))

    def log_tail(self) -> str:
        """Its last lines, indented."""
        told = [f"    {line[:LINE_LENGTH]}" for line in self.said().splitlines() if line.strip()]
        return "\n".join(told[-TAIL_LINES:]) or "    (nothing)"

    def stop(self) -> None:
        """Ends the command and all that it started; harmless when it has ended.

        Raises:
            KeyboardInterrupt: a Ctrl-C came meanwhile; then it was ended without more politeness.
        """
        if self._watchdog.stdin is not None:
            with suppress(OSError):
                self._watchdog.stdin.close()
        interrupted = None
        try:
            self._wait_for_watchdog()
        except KeyboardInterrupt as error:
            interrupted = error
            self._watchdog.send_signal(signal.SIGTERM)
            self._wait_for_watchdog()
        leftovers.kill_marked(self._mark)  # where both watchdogs were killed
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._log.close()
        if interrupted is not None:
            raise interrupted

    def _wait_for_watchdog(self) -> None:
        try:
            self._watchdog.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            import psutil

            watchdog = psutil.Process(self._watchdog.pid)
            for process in [*watchdog.children(recursive=True), watchdog]:
                with suppress(psutil.Error):
                    process.kill()
