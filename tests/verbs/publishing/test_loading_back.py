"""The process that loads back what was written: what it says when it fails, and that it never outlives us."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.files.private import process_exists
from selfstudy.verbs.publishing import loading_back
from selfstudy.verbs.publishing.questions import Asking

ASKING = Asking((), (), ((), "", ()), "float32", "cpu", 8, 1.0, Path("/base"), False, None)
KEY = "hf_abcdefghijklmnopqrstuvwxyz0123"


def program(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "program.py"
    file.write_text(text)
    return file


def _wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_it_fails_with_is_told_without_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = program(tmp_path, f"print('x' * 10**6)\nraise OSError('no weights for {KEY}')\n")
    monkeypatch.setattr(loading_back, "PROGRAM", failing)
    with pytest.raises(ModelError, match=r"cannot load what was written: OSError: no weights for") as told:
        loading_back.load_back(tmp_path, ASKING, [""], whole=False)
    assert KEY not in str(told.value)
    monkeypatch.setattr(loading_back, "PROGRAM", program(tmp_path, "pass\n"))
    with pytest.raises(ModelError, match="gave no reply"):
        loading_back.load_back(tmp_path, ASKING, [""], whole=False)


def test_it_ends_with_us_and_leaves_no_questions_behind(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    waiting = program(
        tmp_path,
        "import os, time\nfrom pathlib import Path\n"
        f"half = Path({str(tmp_path / 'half')!r})\nhalf.write_text(str(os.getpid()))\n"
        f"half.rename({str(noted)!r})\ntime.sleep(600)\n",
    )
    ours = (
        "from pathlib import Path\nfrom selfstudy.verbs.publishing import loading_back\n"
        f"loading_back.PROGRAM = Path({str(waiting)!r})\nloading_back._answers({{}})\n"
    )
    place = tmp_path / "tmp"
    place.mkdir()
    with subprocess.Popen([sys.executable, "-c", ours], env={**os.environ, "TMPDIR": str(place)}) as process:
        _wait(noted.exists)
        process.kill()
    _wait(lambda: not process_exists(int(noted.read_text())))
    _wait(lambda: not list(place.iterdir()))
