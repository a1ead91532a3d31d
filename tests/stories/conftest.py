from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

import pytest

from selfstudy import learn

from .small import recipe


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A small demo, run to its end once: each worker of pytest-xdist has a copy, which nobody changes."""
    own = tmp_path_factory.mktemp("stories")
    shared = own if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    made = shared / "made-once"
    with (shared / "made-once.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "report.html").exists():
            learn(recipe(), made)
    shutil.copytree(made, own / "finished")
    return own / "finished"
