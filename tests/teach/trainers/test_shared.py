"""What all trainers keep to: batches, seeds, divergence, odd models."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.models import lora as adapters
from selfstudy.progress import Silent
from selfstudy.recipe import DPOBlock, LocalModel, LoraBlock, SFTBlock
from selfstudy.teach.trainers import dpo, sft, shared

from .small import EXAMPLES, PAIRS, setting, taught


def test_training_is_deterministic_and_leaves_random_states_alone(tiny_llama: Path, tmp_path: Path) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    random.seed(5)
    state = torch.get_rng_state()
    expected = random.Random(5).random()
    for name in ("a", "b"):
        steps = taught(
            lm, tmp_path / name, epochs=3, batch_size=2, lora=LoraBlock(r=4, alpha=8, dropout=0.1)
        ).steps
    assert random.random() == expected
    assert torch.equal(torch.get_rng_state(), state)
    files = [(tmp_path / name / adapters.WEIGHTS).read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]
    assert [s.step for s in steps] == list(range(1, 10))
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [adapters.CONFIG, adapters.WEIGHTS]


def test_a_large_model_computes_activations_twice_and_learns_the_same(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    small = taught(lm, tmp_path / "small", epochs=2)
    monkeypatch.setattr(shared, "LARGE", 0)
    large = taught(lm, tmp_path / "large", epochs=2)
    ways = [one.model.get_base_model().is_gradient_checkpointing for one in (small, large)]
    assert ways == [False, True]
    assert [s.loss for s in large.steps] == pytest.approx([s.loss for s in small.steps], rel=1e-5)


def test_combined_adapters_do_what_they_do_one_after_the_other(tiny_llama: Path, tmp_path: Path) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    first = taught(lm, tmp_path / "one", epochs=3)
    start = shared.merged(first.model)
    wide = LoraBlock(r=4, alpha=12, dropout=0.0, target_modules=("q_proj", "down_proj"))
    second = dpo.train(
        start,
        lm,
        PAIRS,
        DPOBlock(epochs=3, learning_rate=1e-2, batch_size=6),
        setting(phase="dpo", lora=wide),
        Silent(),
    )
    adapters.save(second.model, tmp_path / "two")
    adapters.combine([tmp_path / "one", tmp_path / "two"], tmp_path / "both")
    model: Any = second.model.merge_and_unload()
    both: Any = load_lm(LocalModel(path=str(tiny_llama), adapter=tmp_path / "both"))
    ids = torch.tensor([sft.tokenised(lm, EXAMPLES)[0]["input_ids"]])
    vars(model).pop("forward", None)
    with torch.no_grad():
        expected, got, base = (m.eval()(input_ids=ids).logits for m in (model, both.model, lm.model))
    assert (expected - got).abs().max() < 1e-4
    assert (expected - base).abs().max() > 0.1
    assert second.steps[-1].loss < second.steps[0].loss


def test_a_training_that_diverges_is_marked_and_does_not_crash(tiny_llama: Path, tmp_path: Path) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    trained = taught(lm, tmp_path / "adapter", learning_rate=1e30, epochs=20, warmup=0.0)
    assert trained.failure is not None
    assert len(trained.steps) < 20
    adapter: Any = load_lm(LocalModel(path=str(tiny_llama), adapter=tmp_path / "adapter"))
    assert all(p.isfinite().all() for p in adapter.model.parameters())


@pytest.mark.parametrize("kind", ["gpt2", "gemma"])
def test_other_architectures_learn_too(kind: str, model_folder: Callable[..., Path], tmp_path: Path) -> None:
    lm: Any = load_lm(LocalModel(path=str(model_folder(kind))))
    trained = taught(lm, tmp_path / "adapter", epochs=15, learning_rate=1e-2, batch_size=4)
    assert trained.failure is None
    assert trained.steps[-1].loss < trained.steps[0].loss - 1


def test_modules_that_cannot_be_adapted_are_a_model_error(
    model_folder: Callable[..., Path], tmp_path: Path
) -> None:
    mamba: Any = load_lm(LocalModel(path=str(model_folder("mamba"))))
    with pytest.raises(ModelError, match="out_proj"):
        taught(mamba, tmp_path / "adapter")
    llama: Any = load_lm(LocalModel(path=str(model_folder("llama"))))
    with pytest.raises(ModelError, match="no_such_module"):
        taught(llama, tmp_path / "adapter", lora=LoraBlock(target_modules=("no_such_module",)))


@pytest.mark.parametrize(
    ("size", "longest", "tokens", "expected"),
    [
        (25, 10, 130, 5),
        (25, 10, 10_000, 25),
        (32, 10, 170, 16),
        (12, 10, 70, 6),
        (7, 10, 60, 1),
        (1, 10, 5, 1),
    ],
)
def test_forward_passes_divide_the_batch(size: int, longest: int, tokens: int, expected: int) -> None:
    assert shared.micro_batch(size, longest, tokens) == expected


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_batch_has_the_size_that_the_recipe_says(kind: str, tiny_llama: Path) -> None:
    """25 of 25 in one optimizer step, however few fit into one forward pass."""
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    how = setting(phase=kind, tokens=700)
    steps: list[Any] = []

    class Counting(Silent):
        def task(self, label: str, total: int) -> Any:
            steps.append(total)
            return super().task(label, total)

    if kind == "sft":
        many = (EXAMPLES * 9)[:50]
        rows = sft.tokenised(lm, many)
        block: Any = SFTBlock(epochs=1, batch_size=25, learning_rate=1e-3)
        trained = sft.train(shared.training_copy(lm), lm, many, block, how, Counting())
    else:
        pairs = (PAIRS * 9)[:50]
        rows = dpo.tokenised(lm, pairs)
        block = DPOBlock(epochs=1, batch_size=25, learning_rate=1e-3)
        trained = dpo.train(shared.training_copy(lm), lm, pairs, block, how, Counting())
    arguments = shared.arguments(how, block, lm.model, rows, 1 + (kind == "dpo"))
    micro = arguments["per_device_train_batch_size"]
    assert 1 < micro < 25
    assert micro * arguments["gradient_accumulation_steps"] == 25
    assert [step.step for step in trained.steps] == [1, 2]
    assert steps == ([2] if kind == "sft" else [50, 2])  # of pairs the model before is asked first


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_pad_token_beyond_the_vocabulary(kind: str, tiny_llama: Path, tmp_path: Path) -> None:
    """Some models have it: its id is the size of the vocabulary, and nothing can be looked up there."""
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    lm.tokenizer.add_special_tokens({"pad_token": "<|beyond|>"})
    assert lm.tokenizer.pad_token_id >= lm.model.get_input_embeddings().weight.shape[0]
    model = shared.training_copy(lm)
    if kind == "sft":
        block = SFTBlock(epochs=1, learning_rate=1e-3, batch_size=6)
        trained = sft.train(model, lm, EXAMPLES, block, setting(), Silent())
    else:
        preferences = DPOBlock(epochs=1, learning_rate=1e-3, batch_size=6)
        trained = dpo.train(model, lm, PAIRS, preferences, setting(phase="dpo"), Silent())
    assert trained.failure is None
    assert lm.tokenizer.pad_token == "<|beyond|>"


def test_a_next_phase_starts_from_unrounded_weights(tiny_llama: Path, tmp_path: Path) -> None:
    """In bfloat16 a small change of the first phase would be rounded away."""
    from peft import LoraConfig, get_peft_model

    lm: Any = load_lm(LocalModel(path=str(tiny_llama), dtype="bfloat16"))
    base = {name: p.detach().float().clone() for name, p in lm.model.named_parameters()}
    model = get_peft_model(lm.model, LoraConfig(r=2, lora_alpha=2, target_modules=["q_proj"]))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=1e-3)
    layer: Any = model.get_submodule("base_model.model.model.layers.0.self_attn.q_proj")
    delta = layer.get_delta_weight("default").float()
    merged = shared.merged(model)
    name = "model.layers.0.self_attn.q_proj"
    change = merged.get_submodule(name).weight.float() - base[f"{name}.weight"]
    assert torch.allclose(change, delta, rtol=1e-2, atol=1e-7)
