"""A round of the towns whose gaps verify is to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.run import Round, Run

from .towns import fill, recipe


@pytest.fixture
def round_(tmp_path: Path) -> Iterator[Round]:
    with Run.create_or_resume(tmp_path / "run", recipe()) as run:
        fill(run.round(1))
        yield run.round(1)
