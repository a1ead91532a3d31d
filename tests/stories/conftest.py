from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy import learn

from .small import recipe


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo, run to its end once; nobody changes it."""
    path = tmp_path_factory.mktemp("stories") / "finished"
    learn(recipe(), path)
    return path
