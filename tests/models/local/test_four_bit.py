"""Layers of 4 bits: what answers is what is trained, adapters are exact beside them, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.errors import MissingExtraError, ModelError
from selfstudy.models import load_lm, lora, lora_targets
from selfstudy.models.local import four_bit
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.local.mixed import MixedLM
from selfstudy.progress import Silent
from selfstudy.recipe import DPOBlock, LocalModel, LoraBlock, SFTBlock, TeachBlock
from selfstudy.teach.trainers import dpo, memory, sft, shared
from tests.teach.trainers.small import EXAMPLES, PAIRS, setting

pytest.importorskip("bitsandbytes", reason="needs the extra 4bit")


def load(folder: Path, **changes: Any) -> Any:
    return load_lm(LocalModel(path=str(folder), load_in_4bit=True, device="cpu", **changes))


def scores(lm: Any) -> torch.Tensor:
    """How likely the model finds every token of the better answers."""
    found = lm.logprobs([pair.prompt for pair in PAIRS], [pair.chosen for pair in PAIRS])
    assert all(found)
    return torch.tensor([value for row in found for value in row])


def around(model: Any, lm: Any) -> LocalLM:
    return LocalLM.around(model, lm.tokenizer, style=lm.style)


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
def test_each_layer_is_about_what_it_was_and_answering_changes_none(
    kind: str, model_folder: Callable[..., Path]
) -> None:
    """Also on processors for which bitsandbytes has another layout, of rounded scales."""
    from bitsandbytes.functional import dequantize_4bit

    folder = model_folder(kind)
    held, plain = load(folder), load_lm(LocalModel(path=str(folder), device="cpu"))
    assert held.model.get_memory_footprint() < plain.model.get_memory_footprint()
    first = scores(held)
    linear = {name: one for name, one in held.model.named_modules() if hasattr(one, "quant_state")}
    assert len(linear) >= 4
    assert not any(layer.support_avx512bf16_for_cpu for layer in linear.values())
    for name, layer in linear.items():
        weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
        was = plain.model.get_submodule(name).weight
        was = was.T if kind == "gpt2" else was  # its layers are the other way round
        assert (weight - was).norm() < 0.35 * was.norm()  # few scales to share one
        x = torch.randn(3, layer.in_features)
        with torch.no_grad():
            assert torch.allclose(layer(x), torch.nn.functional.linear(x, weight, layer.bias), atol=1e-4)
            assert torch.allclose(layer(x[:1]), layer(x)[:1], atol=1e-4), "one row alone"
    assert torch.equal(scores(held), first)


def test_what_is_trained_answers_when_loaded_also_after_a_second_training(
    tiny_llama: Path, tmp_path: Path
) -> None:
    """The first adapter stands beside its layers while the second is trained; both combine exactly."""
    lm = load(tiny_llama)
    before = scores(lm)
    how = SFTBlock(epochs=8, learning_rate=1e-2, batch_size=6)
    first = sft.train(shared.training_copy(lm), lm, EXAMPLES, how, setting(), Silent())
    assert first.steps[-1].loss < 0.8 * first.steps[0].loss
    assert {p.dtype for p in first.model.parameters() if p.requires_grad} == {torch.float32}
    lora.save(first.model, tmp_path / "first")
    live = scores(around(first.model, lm))
    assert not torch.allclose(live, before, atol=0.1)
    assert torch.equal(scores(lm), before), "the model that answers is not touched"
    assert torch.allclose(scores(load(tiny_llama, adapter=tmp_path / "first")), live, atol=1e-5)

    model = shared.merged(first.model)
    assert four_bit.is_held(model)
    assert torch.allclose(scores(around(model, lm)), live, atol=1e-5)
    second = dpo.train(
        model, lm, PAIRS, DPOBlock(epochs=4, learning_rate=1e-2, batch_size=6), setting(phase="dpo"), Silent()
    )
    assert second.steps[0].loss == pytest.approx(0.6931, abs=1e-3), "the reference has the first adapter"
    lora.save(second.model, tmp_path / "second")
    lora.combine([tmp_path / "first", tmp_path / "second"], tmp_path / "both")
    both = load(tiny_llama, adapter=tmp_path / "both")
    assert torch.allclose(scores(both), scores(around(second.model, lm)), atol=1e-4)
    again = shared.training_copy(both)
    assert torch.allclose(scores(around(again, lm)), scores(both), atol=1e-5)
    third = shared.merged(second.model)  # a shift on top of a shift
    assert torch.allclose(scores(around(third, lm)), scores(both), atol=1e-4)


def test_adapters_answer_side_by_side(tiny_llama: Path, tmp_path: Path) -> None:
    """As `deploy: dynamic` has them: each row is what its own adapter makes of it alone."""
    lm = load(tiny_llama)
    folders = {}
    for name, how in {"good": EXAMPLES, "other": EXAMPLES[::-1][:2]}.items():
        block = SFTBlock(epochs=8, learning_rate=1e-2, batch_size=6)
        trained = sft.train(shared.training_copy(lm), lm, how, block, setting(), Silent())
        lora.save(trained.model, folders.setdefault(name, tmp_path / name))
    block = LocalModel(path=str(tiny_llama), load_in_4bit=True, device="cpu")
    mixed = MixedLM(block, folders)
    chats, texts = [pair.prompt for pair in PAIRS], [pair.chosen for pair in PAIRS]
    alone = {None: lm} | {name: load(tiny_llama, adapter=folder) for name, folder in folders.items()}
    names = [(None, *folders)[at % 3] for at in range(len(chats))]
    found = mixed.logprobs_as(chats, texts, names)
    for at, name in enumerate(names):
        wanted = alone[name].logprobs([chats[at]], [texts[at]])[0]
        assert found[at] == pytest.approx(wanted, abs=1e-3)
        if name is not None:
            assert found[at] != pytest.approx(lm.logprobs([chats[at]], [texts[at]])[0], abs=1e-2)
    assert four_bit.is_held(mixed.model)
    assert torch.equal(scores(mixed), scores(lm)), "the model itself stays as it was"


def test_layers_to_adapt_are_found_without_weights(tiny_llama: Path) -> None:
    held, plain = load(tiny_llama), load_lm(LocalModel(path=str(tiny_llama), device="cpu"))
    names = [lora_targets.lora_config(one.model, LoraBlock()).target_modules for one in (held, plain)]
    assert names[0] == names[1]
    lora_targets.require_trainable(held.model, LoraBlock(), combined=True)
    with pytest.raises(ModelError, match="no_such_module"):
        lora_targets.require_trainable(
            held.model, LoraBlock(target_modules=("no_such_module",)), combined=True
        )
    assert four_bit.is_held(held.model)
    assert torch.equal(scores(held), scores(load(tiny_llama)))


def test_where_it_does_not_run_it_is_refused_with_the_reason(
    tiny_llama: Path, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="no 4 bits on device 'meta'"):
        load_lm(LocalModel(path=str(tiny_llama), load_in_4bit=True, device="meta"))
    with monkeypatch.context() as patch:
        patch.setattr(four_bit, "PACKAGE", "no_such_package")
        with pytest.raises(MissingExtraError, match="no_such_package"):
            load(tiny_llama)
    with monkeypatch.context() as patch:

        def broken() -> Any:
            raise RuntimeError("libcudart.so.99: cannot open shared object file")

        patch.setattr(four_bit, "_kind", broken)
        with pytest.raises(ModelError, match=r"does not run here: libcudart\.so\.99"):
            load(tiny_llama)


@pytest.mark.parametrize("said", [False, True])
def test_files_of_few_bits_are_refused_before_bitsandbytes_reads_them(
    said: bool, tiny_llama: Path, tmp_path: Path
) -> None:
    """It checks no sizes: scales that are missing end the process."""
    lm = load(tiny_llama)
    lm.model.save_pretrained(tmp_path / "held")
    lm.tokenizer.save_pretrained(tmp_path / "held")
    with pytest.raises(ModelError, match=r"is quantised already \(bitsandbytes\)") as caught:
        load_lm(LocalModel(path=str(tmp_path / "held"), device="cpu", load_in_4bit=said))
    assert "weights of 16 or 32 bits" in caught.value.hint


def test_where_gradients_would_vanish_it_computes_in_float32(tiny_llama: Path) -> None:
    assert load(tiny_llama, dtype="float16").model.dtype == torch.float32
    assert load(tiny_llama, dtype="bfloat16").model.dtype == torch.bfloat16


def test_an_architecture_that_reads_weights_past_its_layers_is_refused(
    model_folder: Callable[..., Path],
) -> None:
    with pytest.raises(ModelError, match="with layers of 4 bits") as caught:
        load(model_folder("mamba"))
    assert "leave out load_in_4bit" in caught.value.hint


def test_all_weights_of_4_bits_are_not_trained(tiny_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="weights of 4 bits cannot be trained"):
        memory.require_room(load(tiny_llama), TeachBlock(finetuning="full"), tmp_path)
