"""A script that runs one command and makes sure that it ends with its parent, however the parent ends.

    python watchdog.py '{"command": ["vllm", "serve"], "log": "/tmp/x/engine.log", "remove": ["/tmp/x"]}'

The parent holds the other end of stdin, and is this process's parent.  When the pipe closes, the parent is
another one (a forked child may still hold the pipe) or a signal comes, everything that the command started is
ended: first politely, then not.  Then the folders of `remove` go.  Exits with the command's exit code.

PR_SET_PDEATHSIG is only the second net, for a kill -9 of this process and its parent together: it does not
reach what the command has started, and is lost by programs that drop privileges.

Imports nothing of selfstudy: it has to start at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from types import FrameType

GRACE_SECONDS = 4.0
"""Between the polite signal and the other one."""
POLL_SECONDS = 0.2
KILLED_SECONDS = 3.0
"""Until what was killed is really gone, and its GPU memory free."""
_SUBREAPER, _DEATH_SIGNAL = 36, 1  # PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG of linux/prctl.h


def main(command: list[str], log: str, remove: list[str]) -> int:
    parent = os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop)
    _prctl(_SUBREAPER, 1)  # orphaned grandchildren become our children
    engine = None
    try:
        with open(log, "ab", buffering=0) as output:  # noqa: PTH123 - pathlib would double the start-up time
            engine = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lambda: _prctl(_DEATH_SIGNAL, signal.SIGKILL),  # there are no threads here
            )
        while engine.poll() is None and os.getppid() == parent:
            if select.select([0], [], [], POLL_SECONDS)[0] and not os.read(0, 1):
                break
    except KeyboardInterrupt:
        pass
    except OSError as error:
        with open(log, "a") as output:  # noqa: PTH123
            output.write(f"{command[0]}: {error}\n")
        return 127
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        code = engine.poll() if engine is not None else None
        if engine is not None:
            _end(engine)
        for folder in remove:
            shutil.rmtree(folder, ignore_errors=True)
    return code if code is not None else 0


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(engine: subprocess.Popen[bytes]) -> None:
    """Ends the command's group and every descendant, in groups of their own or not."""
    import psutil

    everyone = psutil.Process().children(recursive=True)
    with contextlib.suppress(OSError):
        os.killpg(engine.pid, signal.SIGTERM)
    for process in everyone:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    psutil.wait_procs(everyone, timeout=GRACE_SECONDS)
    survivors = {*everyone, *psutil.Process().children(recursive=True)}
    for process in survivors:
        with contextlib.suppress(psutil.Error):
            process.kill()
    with contextlib.suppress(OSError):
        os.killpg(engine.pid, signal.SIGKILL)
    psutil.wait_procs(survivors, timeout=KILLED_SECONDS)


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.argv[1])))
