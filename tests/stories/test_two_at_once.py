"""Several `learn` on one run, begun in the same millisecond: one writes it, the others say who does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from selfstudy.files import lock
from selfstudy.run import Run

from ..conftest import TEMPLATE
from .small import KILL, cli

pytestmark = pytest.mark.story

AT = """
import sys, time
from selfstudy.cli import app
while time.time() < float(sys.argv[1]):
    pass
app(sys.argv[2:])
"""


def test_one_ends_well_and_the_others_are_refused(
    model_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a process that was killed has left its lock. With this threshold nothing is trained."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Fiji\n\nSuva is the capital of Fiji.\n")
    (tmp_path / "q.txt").write_text("What is the capital of Fiji?\nWho knows Suva?\nWhere is Fiji?\n")
    content = {
        "model": {"path": str(model_folder("llama", TEMPLATE))},
        "nli": {"path": str(model_folder("bert"))},
        "library": "docs",
        "answering": {"max_new_tokens": 8, "reading_tokens": 8},
        "probe": {
            "ask": [{"method": "external", "source": "q.txt", "count": 3, "questions": True}],
            "samples": 2,
            "scorer": "agreement",
            "threshold": 1.0,
        },
        "gather": {"samples": 0},
        "teach": {"heldout_wordings": 0},
        "verify": {"samples": 0, "resamples": 200},
    }
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(content))
    run, moment = tmp_path / "run", str(time.time() + 4)
    run.mkdir(0o700)
    (run / Run.lock_file).write_text("process 1 on nowhere\n")  # as a killed one leaves it
    assert lock.is_lock(run / Run.lock_file)
    command = [sys.executable, "-c", AT, moment, "learn", "my.yaml", "--run", "run"]
    begun = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=300)[1] for process in begun]
    codes = [process.returncode for process in begun]
    assert sorted(codes) == [0, 2, 2], said
    first = begun[codes.index(0)]
    for code, told in zip(codes, said, strict=True):
        assert "Traceback" not in told
        if code == 2:
            assert f"error: the run {run} is being written by process {first.pid} on " in told
            assert "-> wait for it, stop it, or give another --run DIR" in told
    code, _, told = cli("learn", "my.yaml", "--run", "alone")
    assert code == 0, told
    assert KILL["differences"](KILL["files"](tmp_path / "alone"), KILL["files"](run)) == []
