"""The fast LoRA layer and loss are the plain ones."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.progress import Silent
from selfstudy.recipe import LocalModel, SFTBlock
from selfstudy.teach.trainers import fast_lora, sft, shared

from .small import EXAMPLES, setting


def test_the_fast_loss_equals_the_plain_one(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loss and gradients of a batch: all that `sft` and `fast_lora` save, against TRL with peft."""
    monkeypatch.setattr(fast_lora, "compute_dtype", lambda: torch.float32)
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    found: dict[str, Any] = {}

    def gradients(trainer: Any, setting: Any, block: Any, report: Any, items: int) -> Any:
        model = trainer.model
        torch.manual_seed(3)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(std=0.1)
        batch = next(iter(trainer.get_train_dataloader()))
        plain, base = copy.deepcopy(model), super(type(trainer), trainer).compute_loss
        for layer in plain.modules():
            vars(layer).pop("forward", None) if hasattr(layer, "lora_A") else None
        loss = trainer.compute_loss(model, dict(batch))
        loss.backward()
        expected = base(plain, dict(batch)) if "fused" not in found else None
        assert expected is not None
        expected.backward()
        found["loss"] = (loss.item(), expected.item())
        found["gradients"] = [
            (a.grad, b.grad)
            for (_, a), (_, b) in zip(model.named_parameters(), plain.named_parameters(), strict=True)
            if a.requires_grad
        ]
        return shared.Trained(model, [])

    monkeypatch.setattr(shared, "run", gradients)
    sft.train(
        shared.training_copy(lm),
        lm,
        EXAMPLES,
        SFTBlock(batch_size=6, learning_rate=2e-2),
        setting(),
        Silent(),
    )
    assert found["loss"][0] == pytest.approx(found["loss"][1], rel=1e-5)
    for fast, plain in found["gradients"]:
        assert torch.allclose(fast, plain, rtol=1e-3, atol=1e-5 * plain.abs().max().item() + 1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_lora_layer_by_finite_differences_and_by_hand(dtype: torch.dtype) -> None:
    apply: Any = fast_lora._LoraLinear.apply
    torch.manual_seed(0)
    x, w = torch.randn(2, 3, 5, dtype=torch.double), torch.randn(4, 5, dtype=torch.double)
    a, b = torch.randn(2, 5, dtype=torch.double), torch.randn(4, 2, dtype=torch.double)
    by_hand = x @ w.t() + 1.5 * (x @ a.t()) @ b.t()
    tolerance = 1e-5 if dtype == torch.float32 else 0.15
    result = apply(x.float(), w.to(dtype), a.float(), b.float(), 1.5)
    assert torch.allclose(result.double(), by_hand, atol=tolerance)
    if dtype == torch.float32:
        x.requires_grad_(True)
        torch.autograd.gradcheck(lambda x: apply(x, w, a, b, 1.5), (x,))
        one, two = (t.float().requires_grad_(True) for t in (a, b))
        apply(x.detach().float(), w.float(), one, two, 1.5).pow(2).sum().backward()
        left, right = (t.float().requires_grad_(True) for t in (a, b))
        rows = x.detach().float()
        (rows @ w.float().t() + 1.5 * (rows @ left.t()) @ right.t()).pow(2).sum().backward()
        assert torch.allclose(one.grad, left.grad, rtol=1e-4)  # type: ignore[arg-type]
        assert torch.allclose(two.grad, right.grad, rtol=1e-4)  # type: ignore[arg-type]
