"""The model as it was before a training, whatever becomes of it meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import get_peft_model

from selfstudy.models import lora_targets
from selfstudy.models.base import GREEDY
from selfstudy.models.local.lm import LocalLM
from selfstudy.teach.trainers import shared
from selfstudy.teach.trainers.online import Before

from .policies import EXERCISES, LORA

torch.set_num_threads(1)


@pytest.mark.parametrize("full", [False, True], ids=["lora", "full"])
def test_it_answers_as_the_model_did(full: bool, citing_lm: Any) -> None:
    model = shared.training_copy(citing_lm, whole=full)
    if not full:
        model = get_peft_model(model, lora_targets.lora_config(model, LORA))
    live = LocalLM.around(model, citing_lm.tokenizer)
    before = Before(model, lambda one: LocalLM.around(one, citing_lm.tokenizer, name="before"))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.manual_seed(0)))
    chats = [one.prompt for one in EXERCISES]
    expected = citing_lm.generate(chats, GREEDY)
    assert before.generate(chats, GREEDY) == expected
    assert live.generate(chats, GREEDY) != expected
    texts = ["Paris [1]."] * len(chats)
    for one, other in zip(before.logprobs(chats, texts), citing_lm.logprobs(chats, texts), strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert before.name == "before"
    assert before.wants_demonstrations == citing_lm.wants_demonstrations
    assert all(p.requires_grad for n, p in model.named_parameters() if full or "lora" in n)
    with before.weights() as weights:
        assert (weights is model) == (not full)
        assert full or not any(
            p.requires_grad for n, p in weights.named_parameters() if "base" in n and "lora" not in n
        )
