"""One process holds a lock; it goes when that lets go."""

from __future__ import annotations

import os
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
