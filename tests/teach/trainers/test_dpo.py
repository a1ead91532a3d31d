"""Preference training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.progress import Silent
from selfstudy.recipe import DPOBlock, LocalModel, LoraBlock
from selfstudy.teach.trainers import dpo, shared

from .small import PAIRS, setting


def test_dropout_of_the_adapter_works_in_preference_training_and_no_other_does(
    model_folder: Callable[..., Path], tmp_path: Path
) -> None:
    """TRL switches all of it off; the model's own has to stay off, for the reference has none."""
    lm: Any = load_lm(LocalModel(path=str(model_folder("gpt2"))))
    assert lm.model.config.resid_pdrop > 0

    def weights(dropout: float, seed: int = 0) -> tuple[torch.Tensor, float]:
        how = setting(phase="dpo", lora=LoraBlock(r=4, alpha=8, dropout=dropout), seed=seed)
        block = DPOBlock(epochs=4, learning_rate=1e-2, batch_size=6)
        trained = dpo.train(shared.training_copy(lm), lm, PAIRS, block, how, Silent())
        named = sorted((n, p) for n, p in trained.model.named_parameters() if p.requires_grad)
        return torch.cat([p.detach().flatten() for _, p in named]), trained.steps[0].loss

    plain, first = weights(0.0)
    assert first == pytest.approx(0.6931, abs=1e-3)  # the model is its reference: log 2
    assert torch.equal(plain, weights(0.0)[0])
    assert not torch.equal(plain, weights(0.5)[0])
