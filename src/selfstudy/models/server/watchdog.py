"""A script that runs one command and makes sure that it ends with its parent, however the parent ends.

    python watchdog.py '{"command": ["vllm", "serve"], "log": "/tmp/x/log", "remove": ["/tmp/x"]}'

The parent holds the other end of stdin, and is this process's parent.  When the pipe closes, the parent is
another one (a forked child may still hold the pipe) or a signal comes, everything that the command started is
ended: first politely, then not; a second signal ends the politeness.  Then the folders of `remove` go.  Exits
with the command's exit code.

With `"twice": true` it watches over a second one, which watches over the command.  Each is the adoptive
parent of all that is below it (PR_SET_CHILD_SUBREAPER), so that either of them can be killed, alone or
together with the parent, and the other one finds whatever the command has started, in sessions of its own or
not.  The second one's command line names neither selfstudy nor this file: `pkill -f selfstudy` leaves it to
its work.

PR_SET_PDEATHSIG is the last net, for a kill -9 of everything at once: it ends the command, but not what the
command has started, which carries the `mark` in its environment and is found when selfstudy is next run.

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
import time
from types import FrameType

GRACE_SECONDS = 4.0
"""Between the polite signal and the other one."""
POLL_SECONDS = 0.2
TICK_SECONDS = 0.02
KILLED_SECONDS = 3.0
"""Until what was killed is really gone, and its GPU memory free."""
SECOND_SECONDS = GRACE_SECONDS + KILLED_SECONDS + 1.0
"""How long the second watchdog may take, once it has been told."""
VARIABLE = "SELFSTUDY_ENGINE"
"""The environment variable in which an engine and all that it starts carry the mark."""
_SUBREAPER, _DEATH_SIGNAL = 36, 1  # PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG of linux/prctl.h
_LEFT_ALONE = frozenset(
    {"KILL", "STOP", "CHLD", "CONT", "TSTP", "TTIN", "TTOU", "URG", "WINCH", "PIPE"}
    | {"SEGV", "BUS", "FPE", "ILL", "TRAP", "SYS"}
)
"""Signals that end nothing, cannot be caught, or tell of a fault of this process itself."""
_SECOND = (
    "import json, runpy, sys; script, order = json.loads(sys.stdin.readline()); "
    "sys.argv[1:] = [order]; runpy.run_path(script, run_name='__main__')"
)

_signals = 0
"""How many have come."""


def main(command: list[str], log: str, remove: list[str], mark: str = "", twice: bool = False) -> int:
    parent = os.getppid()
    woken = _listen()
    _prctl(_SUBREAPER, 1)  # orphaned grandchildren become our children
    child: subprocess.Popen[bytes] | None = None
    code: int | None = None
    try:
        child = _second(command, log, remove, mark) if twice else _engine(command, log, mark)
        while (code := child.poll()) is None and os.getppid() == parent and not _signals:
            ready = select.select([0, woken], [], [], POLL_SECONDS)[0]
            if 0 in ready and not os.read(0, 1):
                break
            if woken in ready:
                os.read(woken, 512)
    except OSError as error:
        with contextlib.suppress(OSError), open(log, "a") as output:  # noqa: PTH123
            output.write(f"{command[0]}: {error}\n")
        code = 127
    finally:
        obeyed = child is None or not twice or _dismissed(child)
        _end(mark, GRACE_SECONDS if obeyed else 0.0)
        for folder in remove:
            shutil.rmtree(folder, ignore_errors=True)
    return code or 0


def _listen() -> int:
    """Counts signals from now on; what becomes readable when one comes, or a child ends."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    os.set_blocking(read, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    left_alone = {getattr(signal, f"SIG{name}", None) for name in _LEFT_ALONE}
    for number in signal.valid_signals() - left_alone:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, _count)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return read


def _count(number: int, frame: FrameType | None) -> None:
    global _signals
    _signals += 1


def _engine(command: list[str], log: str, mark: str) -> subprocess.Popen[bytes]:
    with open(log, "ab", buffering=0) as output:  # noqa: PTH123 - pathlib would double the start-up time
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, VARIABLE: mark},
            start_new_session=True,
            preexec_fn=lambda: _prctl(_DEATH_SIGNAL, signal.SIGKILL),  # there are no threads here
        )


def _second(command: list[str], log: str, remove: list[str], mark: str) -> subprocess.Popen[bytes]:
    """The second watchdog, in a session of its own: a signal to the first one's group does not reach it."""
    order = json.dumps({"command": command, "log": log, "remove": remove, "mark": mark})
    script = os.path.abspath(__file__)  # noqa: PTH100
    second = subprocess.Popen(
        [sys.executable, "-P", "-c", _SECOND],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert second.stdin is not None
    second.stdin.write(json.dumps([script, order]).encode() + b"\n")
    second.stdin.flush()
    return second


def _dismissed(second: subprocess.Popen[bytes]) -> bool:
    """Has the second watchdog end the command; whether it has done so in time."""
    assert second.stdin is not None
    with contextlib.suppress(OSError):
        second.stdin.close()
    told = _signals
    deadline = time.monotonic() + SECOND_SECONDS
    while second.poll() is None and time.monotonic() < deadline:
        if _signals > told:
            told = _signals
            second.send_signal(signal.SIGTERM)
        time.sleep(TICK_SECONDS)
    return second.poll() is not None


def _end(mark: str, grace: float) -> None:
    """Ends every descendant and all that carries the mark, in groups of their own or not."""
    before, began = _signals, time.monotonic()
    everyone = _everyone(mark)
    _send(everyone, signal.SIGTERM)
    while everyone and time.monotonic() < began + grace and _signals == before:
        time.sleep(TICK_SECONDS)
        everyone = [pid for pid in everyone if _runs(pid)]
    began = time.monotonic()
    while (everyone := _everyone(mark)) and time.monotonic() < began + KILLED_SECONDS:
        _send(everyone, signal.SIGKILL)  # again and again: what is being started meanwhile is found then
        time.sleep(TICK_SECONDS)


def _everyone(mark: str) -> list[int]:
    """What runs below this process, or carries the mark."""
    import psutil

    found = {process.pid for process in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter() if mark else ():
        with contextlib.suppress(psutil.Error, OSError):  # of another user, or gone
            if process.environ().get(VARIABLE) == mark:
                found.add(process.pid)
    return [pid for pid in found - {os.getpid()} if _runs(pid)]


def _runs(pid: int) -> bool:
    """Whether a process runs; a child of ours that has ended is taken note of, and then gone."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _send(processes: list[int], number: int) -> None:
    for pid in processes:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.argv[1])))
