"""Several `learn` on one run, begun at the same moment: one writes it, the others say who does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from selfstudy.files import lock
from selfstudy.run import Run

from ..conftest import TEMPLATE
from .small import KILL, cli

pytestmark = pytest.mark.story

THREE = """
import json, os, sys
from selfstudy.cli import entry, main  # all that a refused one needs
from selfstudy.files import lock

(begin, start), (goes_on, go) = os.pipe(), os.pipe()  # waited for until their other ends are closed
take = lock.take


def held(*where):
    descriptor = take(*where)
    os.read(goes_on, 1)
    return descriptor


children, codes = [], {}
for number in range(3):
    child = os.fork()
    if child:
        children.append(child)
        continue
    os.close(start), os.close(go)
    os.dup2(os.open(f"said{number}", os.O_WRONLY | os.O_CREAT), 2)
    lock.take = held
    os.read(begin, 1)
    sys.exit(main())
os.close(start)
for left in (2, 1, 0):
    child, status = os.wait()
    codes[child] = os.waitstatus_to_exitcode(status)
    if left == 1:
        os.close(go)
print(json.dumps([(child, codes[child]) for child in children]))
"""
"""Whichever gets the lock holds it until the others have ended, however slow they are."""


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
        "smoke": "skip",
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
    run = tmp_path / "run"
    run.mkdir(0o700)
    (run / Run.lock_file).write_text("process 1 on nowhere\n")  # as a killed one leaves it
    assert lock.is_lock(run / Run.lock_file)
    command = [sys.executable, "-c", THREE, "learn", "my.yaml", "--run", "run"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300)
    said = [(tmp_path / f"said{number}").read_text() for number in range(3)]
    children = json.loads(ended.stdout.splitlines()[-1])
    assert sorted(code for _, code in children) == [0, 2, 2], said
    (first,) = (child for child, code in children if code == 0)
    for (_, code), told in zip(children, said, strict=True):
        assert "Traceback" not in told
        if code == 2:
            assert f"error: the run {run} is being written by process {first} on " in told
            assert "-> wait for it, stop it, or give another --run DIR" in told
    code, _, told = cli("learn", "my.yaml", "--run", "alone")
    assert code == 0, told
    assert KILL["differences"](KILL["files"](tmp_path / "alone"), KILL["files"](run)) == []
