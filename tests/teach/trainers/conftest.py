"""What the tests of the trainers share beside small.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.recipe import LocalModel
from selfstudy.teach.trainers import fast_lora

from .policies import make_start


@pytest.fixture(scope="session")
def citing(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that cites right by chance (policies.py)."""
    return make_start(tiny_llama, tmp_path_factory.mktemp("citing"))


@pytest.fixture
def citing_lm(citing: Path) -> Any:
    """The same, loaded."""
    return load_lm(LocalModel(path=str(citing)))


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters are trained in float32 on every processor: these tests compare digits.

    On some they are trained in bfloat16, which test_fast_lora.py is about.
    """
    monkeypatch.setattr(fast_lora, "compute_dtype", lambda: torch.float32)
