"""Which layers get LoRA matrices: of architectures with and without experts, with and without an adapter."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers as tf

from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.models.lora_targets import lora_config, require_trainable, resolve
from selfstudy.recipe import LocalModel, LoraBlock

SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "eos_token_id": 1,
    "bos_token_id": None,
    "pad_token_id": None,
}
EXPERTS: dict[str, Callable[[], Any]] = {
    "mixtral": lambda: tf.MixtralConfig(num_local_experts=4, **SMALL),
    "shared expert": lambda: tf.Qwen2MoeConfig(
        num_experts=4, moe_intermediate_size=16, shared_expert_intermediate_size=24, **SMALL
    ),
    "a dense layer first": lambda: tf.Qwen3MoeConfig(
        num_experts=4, moe_intermediate_size=16, head_dim=8, mlp_only_layers=[0], **SMALL
    ),
    "many": lambda: tf.OlmoeConfig(num_experts=4, num_experts_per_tok=2, **SMALL),
}


@pytest.mark.parametrize("kind", EXPERTS)
def test_experts_in_one_tensor_are_left_out_and_all_else_is_taken(kind: str) -> None:
    """So dropout works, and several adapters can be combined."""
    model = tf.AutoModelForCausalLM.from_config(EXPERTS[kind]())
    require_trainable(model, LoraBlock(r=2, dropout=0.05), combined=True)
    targets = lora_config(model, LoraBlock()).target_modules
    assert isinstance(targets, set)
    attention = [name for name, _ in model.named_modules() if name.endswith(("q_proj", "o_proj"))]
    assert set(attention) <= targets
    assert not any(name.endswith("lm_head") for name in targets)


def test_nothing_is_loaded_or_changed_by_trying(tiny_llama: Path) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    names = [name for name, _ in lm.model.named_modules()]
    before = copy.deepcopy(lm.model.state_dict())
    require_trainable(lm.model, LoraBlock(r=2), combined=True)
    assert [name for name, _ in lm.model.named_modules()] == names
    assert all(
        p.device.type == "cpu" and bool((p == before[n]).all()) for n, p in lm.model.state_dict().items()
    )


def test_an_adapter_that_is_there_already_does_not_count(tiny_llama: Path) -> None:
    from peft import LoraConfig, get_peft_model

    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    plain = lora_config(lm.model, LoraBlock()).target_modules
    adapted = get_peft_model(lm.model, LoraConfig(r=2, target_modules=["q_proj"])).get_base_model()
    assert lora_config(adapted, LoraBlock()).target_modules == plain
    require_trainable(adapted, LoraBlock(target_modules=("q_proj", "v_proj")), combined=True)


def test_a_model_without_such_layers_is_named(model_folder: Callable[..., Path]) -> None:
    lm: Any = load_lm(LocalModel(path=str(model_folder("mamba"))))
    with pytest.raises(ModelError, match="out_proj"):
        require_trainable(lm.model, LoraBlock(), combined=False)
    require_trainable(lm.model, LoraBlock(target_modules=("in_proj", "x_proj")), combined=True)


def test_what_an_adapter_leaves_out_need_not_be_there(tiny_llama: Path) -> None:
    from peft import LoraConfig

    model = tf.AutoModelForCausalLM.from_pretrained(tiny_llama)
    config = LoraConfig(target_modules=".*[qv]_proj", exclude_modules=r"(.*\.)?vision_tower\..*")
    resolve(model, config)
    assert config.exclude_modules == set()
    assert all(name.endswith(("q_proj", "v_proj")) for name in config.target_modules)
    with pytest.raises(ModelError, match="fits no module"):
        resolve(model, LoraConfig(target_modules=r"vision_tower\..*"))
