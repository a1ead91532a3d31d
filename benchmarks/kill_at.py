"""selfstudy in a process that notes each step of a run on the disk, and that kills itself at a moment.

    python benchmarks/kill_at.py RUN LOG '{"until": ["rename rounds/1/gate.json"]}' demo --run RUN

A step: a file of the run is opened to write, forced to disk, moved or removed, a folder is made or removed.
It is named by what is done to which file, and by the size of one that is written: the same step of a resumed
run has the same name.  kill.py starts this.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_TEMPORARY = re.compile(r"\.selfstudy-\d+-[0-9a-f]{16}\.tmp")
_CHANGES = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.mkdir": "make",
    "os.rmdir": "remove folder",
    "os.truncate": "cut",
}


def main() -> None:
    run, log, moment, *arguments = sys.argv[1:]
    watch = _Watch(Path(run).absolute(), Path(log), **json.loads(moment))
    sys.addaudithook(watch.hear)
    real = os.fsync

    def fsync(descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        watch.step("fsync", Path(f"/proc/self/fd/{number}").readlink())
        real(descriptor)

    os.fsync = fsync
    sys.argv[1:] = arguments
    from selfstudy.cli import main as selfstudy

    selfstudy()


class _Watch:
    """Ends this process before the first of the steps `until`, and so many seconds `after` the step `since`.

    If an earlier session has taken that one, so that it may not come again, they count from the `start`.
    """

    def __init__(
        self,
        run: Path,
        log: Path,
        until: Sequence[str] = (),
        since: str = "",
        after: float = 0.0,
        start: float | None = None,
    ) -> None:
        self._run = f"{run}/"
        self._until = frozenset(until)
        self._since = since
        self._after = after
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._timer: threading.Timer | None = None
        if start is not None:
            self._arm(start + after)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(seconds, _end)
        self._timer.daemon = True
        self._timer.start()

    def hear(self, event: str, given: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_CREAT):
            self.step("open", given[0])
        elif event in _CHANGES:
            self.step(_CHANGES[event], *given[: 2 if event == "os.rename" else 1])

    def step(self, does: str, *paths: Any) -> None:
        """Notes a step before it is taken; at the chosen one, or so many seconds later, everything ends."""
        if not all(isinstance(path, str | os.PathLike) for path in paths):
            return
        names = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - no link is followed
        name = names[-1].removeprefix(self._run)
        if name == names[-1] or _TEMPORARY.fullmatch(Path(name).name):
            return
        found = f"{does} {name}"
        if does in ("open", "fsync"):
            with suppress(OSError):
                found += f" ({os.stat(names[0]).st_size})"  # noqa: PTH116
        os.write(self._log, json.dumps([time.time(), found]).encode() + b"\n")
        if found in self._until:
            _end()
        if found == self._since:
            self._arm(self._after)


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
