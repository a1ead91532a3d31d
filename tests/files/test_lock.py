"""One process holds a lock; it goes when that lets go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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


TAKER = """
import sys, time
from pathlib import Path
from selfstudy.errors import RunError
from selfstudy.files import lock
path = Path(sys.argv[1])
while time.time() < float(sys.argv[2]):
    pass
try:
    lock.take(path, path.parent)
    print("held", flush=True)
    time.sleep(60)
except RunError as error:
    print(error, flush=True)
"""


def test_of_many_at_the_same_moment_one_gets_it_and_its_kill_lets_it_go(tmp_path: Path) -> None:
    path, moment = tmp_path / "lock", str(time.time() + 1.5)
    path.write_text("process 1 on nowhere\n")  # as a process that was killed leaves it
    takers = [
        subprocess.Popen([sys.executable, "-c", TAKER, path, moment], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
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
