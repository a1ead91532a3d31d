from __future__ import annotations

import os
from pathlib import Path

import pytest

from .slurm import StandIn


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A stand-in for Slurm, first on PATH."""
    found = StandIn(tmp_path / "slurm-programs")
    monkeypatch.setenv("PATH", f"{found.folder}{os.pathsep}{os.environ['PATH']}")
    return found
