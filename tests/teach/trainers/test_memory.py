"""Whether there is memory to train all weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.recipe import LocalModel
from selfstudy.teach.trainers import memory


def test_what_is_free_has_to_be_enough_for_all_weights(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    needed = 16 * sum(one.numel() for one in lm.model.parameters())
    monkeypatch.setattr("selfstudy.models.local.loading.unused_memory", lambda device: needed)
    memory.require_room(lm)
    with pytest.raises(ModelError, match="training all"):
        memory.require_room(lm, online=True)
