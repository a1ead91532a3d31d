"""One process holds a lock; it goes when that lets go."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files import lock


def test_a_second_taker_is_told_who_holds_it(tmp_path: Path) -> None:
    held = lock.take(tmp_path / "lock", tmp_path)
    with pytest.raises(RunError, match=f"is being written by process {os.getpid()} on "):
        lock.take(tmp_path / "lock", tmp_path)
    os.close(held)
    os.close(lock.take(tmp_path / "lock", tmp_path))


@pytest.mark.parametrize("before", ["process 1 on nowhere\n", "process {dead} on {host}\n", "{long}"])
def test_who_took_it_this_moment_is_waited_for(before: str, tmp_path: Path) -> None:
    """A lock holds the name of the one before until its new holder, who may be slow, has put in its own."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    path, host = tmp_path / "lock", socket.gethostname()
    path.write_text(before.format(dead=gone.pid, host=host, long=f"process {'9' * 30} on {host}\n"))
    with path.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        slow = threading.Timer(0.5, lambda: path.write_text(f"process {os.getpid()} on {host}\n"))
        slow.start()
        with pytest.raises(RunError, match=f"is being written by process {os.getpid()} on "):
            lock.take(path, tmp_path)
        slow.join()


def test_a_holder_that_never_says_so_is_not_waited_for_long(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="is being written by an unknown process"):
            lock.take(path, tmp_path)


TAKER = """
import sys, time
from pathlib import Path
from selfstudy.errors import RunError
from selfstudy.files import lock
path = Path(sys.argv[1])
print("ready", flush=True)
moment = float(sys.stdin.readline())
while time.time() < moment:
    pass
try:
    lock.take(path, path.parent)
    print("held", flush=True)
    time.sleep(60)
except RunError as error:
    print(error, flush=True)
"""


def test_of_many_at_the_same_moment_one_gets_it_and_its_kill_lets_it_go(tmp_path: Path) -> None:
    path, pipe = tmp_path / "lock", subprocess.PIPE
    path.write_text("process 1 on nowhere\n")  # as a process that was killed leaves it
    takers = [
        subprocess.Popen([sys.executable, "-c", TAKER, path], stdin=pipe, stdout=pipe, text=True)
        for _ in range(6)
    ]
    assert all(taker.stdout is not None and taker.stdout.readline() == "ready\n" for taker in takers)
    moment = f"{time.time() + 0.2}\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write(moment)
        taker.stdin.flush()
    said = [taker.stdout.readline() for taker in takers if taker.stdout is not None]
    assert said.count("held\n") == 1
    holder = takers[said.index("held\n")]
    told = [line for line in said if line != "held\n"]
    assert all(f"is being written by process {holder.pid} on " in line for line in told), told
    assert path.read_text().startswith(f"process {holder.pid} on ")
    holder.send_signal(signal.SIGKILL)
    for taker in takers:
        taker.communicate()
    assert lock.is_lock(path)  # what the killed one has left
    os.close(lock.take(path, tmp_path))
    assert path.read_text().startswith(f"process {os.getpid()} on ")


def test_a_lock_is_let_go_of_though_a_child_holds_the_descriptor(tmp_path: Path) -> None:
    held = lock.take(tmp_path / "lock", tmp_path)
    copy = os.dup(held)
    lock.release(held)
    os.close(lock.take(tmp_path / "lock", tmp_path))
    os.close(copy)


def test_a_lock_that_is_held_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    held = lock.take(tmp_path / "lock", tmp_path)
    with pytest.raises(RunError, match="the sheet"), lock.waited(tmp_path / "lock", tmp_path, 0, "the sheet"):
        pass
    threading.Timer(0.1, lock.release, [held]).start()
    with lock.waited(tmp_path / "lock", tmp_path), pytest.raises(RunError, match="is being written by"):
        lock.take(tmp_path / "lock", tmp_path)
    os.close(lock.take(tmp_path / "lock", tmp_path))
