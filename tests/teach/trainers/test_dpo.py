"""Preference training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.models.local.lm import LocalLM
from selfstudy.progress import Silent
from selfstudy.recipe import DPOBlock, LocalModel, LoraBlock
from selfstudy.teach.trainers import dpo, fast_lora, shared

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


def test_what_attention_drops_is_off_too(model_folder: Callable[..., Path]) -> None:
    """Llamas have a number for it, and no module."""
    lm: Any = load_lm(LocalModel(path=str(model_folder("llama"))))
    for module in lm.model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.5
    how, block = setting(phase="dpo"), DPOBlock(epochs=2, learning_rate=1e-9, batch_size=6, beta=1.0)
    trained = dpo.train(shared.training_copy(lm), lm, PAIRS, block, how, Silent())
    assert [step.loss for step in trained.steps] == pytest.approx([math.log(2)] * 2, abs=1e-4)


@pytest.mark.parametrize("full", [False, True], ids=["lora", "full"])
def test_the_reference_rounds_as_what_is_trained(
    full: bool, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in float32 and trained in bfloat16 a pair would seem to be learned, or lost, by rounding."""
    monkeypatch.setattr(fast_lora, "compute_dtype", lambda: torch.bfloat16)
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    how = replace(setting(phase="dpo"), lora=None) if full else setting(phase="dpo")
    block = DPOBlock(epochs=1, learning_rate=1e-9, batch_size=1, beta=1.0)
    trained = dpo.train(shared.training_copy(lm, whole=full), lm, PAIRS, block, how, Silent())
    assert [step.loss for step in trained.steps] == pytest.approx([math.log(2)] * len(PAIRS), abs=5e-5)


def test_the_better_answer_may_be_learned_beside(tiny_llama: Path) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))

    def trained(likelihood: float) -> tuple[float, float]:
        """The first loss, and how likely the better answers are afterwards."""
        block = DPOBlock(epochs=6, learning_rate=1e-2, batch_size=6, likelihood=likelihood)
        how = setting(phase="dpo", lora=LoraBlock(r=4, alpha=8))
        found = dpo.train(shared.training_copy(lm), lm, PAIRS, block, how, Silent())
        after = LocalLM.around(shared.merged(found.model), lm.tokenizer, style=lm.style)
        return found.steps[0].loss, mean(after)

    def mean(model: Any) -> float:
        said = model.logprobs([pair.prompt for pair in PAIRS], [pair.chosen for pair in PAIRS])
        return sum(map(sum, said)) / len(PAIRS)

    (alone, after), (beside, more) = trained(0.0), trained(2.0)
    assert alone == pytest.approx(math.log(2), abs=1e-3)
    assert beside > alone + 1
    assert more > max(after, mean(lm))
