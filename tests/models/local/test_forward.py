"""What a model can do is found out by trying, in every number type."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from selfstudy.models.local.forward import Forward


def deep_model(dtype: torch.dtype, spread: float = 8.0) -> Any:
    """Random, as deep as real ones, with logits spread so that rounding shows."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=4000,
        hidden_size=64,
        num_hidden_layers=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=128,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(spread / float(model(torch.arange(8)[None]).logits.float().std()))
    return model


class NoMask(torch.nn.Module):
    """The model behind a forward that takes a mask and ignores it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.config = model, model.config
        self.device, self.dtype, self.name_or_path = model.device, model.dtype, "no mask"

    def forward(self, input_ids: Any, attention_mask: Any = None, position_ids: Any = None, **_: Any) -> Any:
        return self.model(input_ids=input_ids, use_cache=False)

    def prepare_inputs_for_generation(self, new: Any, **inputs: Any) -> dict[str, Any]:
        inputs.pop("is_first_iteration")
        return {"input_ids": new, **inputs}


class NoPositions(NoMask):
    """The same, but for the positions: padding moves what comes after it."""

    def forward(self, input_ids: Any, attention_mask: Any = None, position_ids: Any = None, **_: Any) -> Any:
        positions = torch.arange(input_ids.shape[1])[None] ** 2  # not as rotary ones, which are relative
        return self.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=positions, use_cache=False
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@torch.inference_mode()
def test_whether_padding_is_masked_shows_in_every_number_type(dtype: torch.dtype) -> None:
    model = deep_model(dtype)
    assert Forward(model).pads
    assert not Forward(NoMask(model)).pads
    if dtype == torch.float32:  # rotary positions move random weights' logits less than rounding may
        assert not Forward(NoPositions(model)).pads
