"""What the tests of the trainers share beside small.py."""

from __future__ import annotations

import pytest
import torch

from selfstudy.teach.trainers import fast_lora


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters are trained in float32 on every processor: these tests compare digits.

    On some they are trained in bfloat16, which test_fast_lora.py is about.
    """
    monkeypatch.setattr(fast_lora, "compute_dtype", lambda: torch.float32)
