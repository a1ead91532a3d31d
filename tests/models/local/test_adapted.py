"""Adapters on models: nothing of them is lost, none that does not fit is put on, what they may adapt."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from selfstudy.errors import ModelError
from selfstudy.models import load_lm, lora, lora_targets
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.local import weights
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel, LoraBlock
from selfstudy.teach.trainers import shared

IDS = torch.tensor([[5, 60, 7, 80, 9, 100, 11, 120]])


def block(folder: Path, **options: object) -> LocalModel:
    return LocalModel.model_validate({"path": str(folder), "device": "cpu", **options})


@pytest.fixture(scope="module")
def half(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as bfloat16 has it, saved in float32: both number types then have the same weights."""
    folder = Path(shutil.copytree(tiny_llama, tmp_path_factory.mktemp("half") / "lm"))
    lm = LocalLM(block(tiny_llama))
    lm.model.bfloat16().float().save_pretrained(folder)
    return folder


def adapter(model: Any, folder: Path, relative: float, **options: Any) -> Any:
    """Saves an adapter whose change is `relative` of the weights; the peft model."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    wrapped = get_peft_model(model, LoraConfig(r=4, **{"target_modules": "all-linear", **options}))
    for module in wrapped.modules():
        if hasattr(module, "lora_B"):
            torch.nn.init.normal_(module.lora_B["default"].weight)
            size = module.get_delta_weight("default").norm() / module.get_base_layer().weight.norm()
            with torch.no_grad():
                module.lora_B["default"].weight.mul_(relative / size)
    lora.save(wrapped, folder)
    return wrapped


@pytest.fixture
def small(half: Path, tmp_path: Path) -> Path:
    adapter(LocalLM(block(half)).model, tmp_path / "small", 0.003)
    return tmp_path / "small"


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=IDS).logits.double()


def deltas(model: Any) -> torch.Tensor:
    """All changes of weights that the model's unmerged adapter makes."""
    found = [
        m.get_delta_weight("default").double().flatten() for m in model.modules() if hasattr(m, "lora_B")
    ]
    return torch.cat(found)


def test_a_small_adapter_loses_nothing_in_bfloat16(half: Path, small: Path) -> None:
    """Merged into bfloat16 two fifths of this one's change is lost to rounding."""
    exact = LocalLM(block(half, adapter=small, dtype="float32"))
    lm = LocalLM(block(half, adapter=small, dtype="bfloat16"))
    assert lm.model.dtype == torch.bfloat16
    assert {p.dtype for name, p in lm.model.named_parameters() if "lora_" not in name} == {torch.bfloat16}
    change = logits(exact.model) - logits(LocalLM(block(half, dtype="float32")).model)
    wide = lm.merged_copy()
    assert {p.dtype for p in wide.parameters()} == {torch.float32}
    assert (logits(wide) - logits(exact.model)).norm() < 1e-3 * change.norm()

    rounded = LocalLM(block(half)).model
    for (name, base), (_, after) in zip(
        LocalLM(block(half)).model.named_parameters(), exact.model.named_parameters(), strict=True
    ):
        rounded.get_parameter(name).data = base.bfloat16().add((after - base).bfloat16()).float()
    assert (logits(rounded) - logits(exact.model)).norm() > 0.1 * change.norm(), "the case is no case"
    assert lm.generate([chat("Who?")] * 2, GREEDY)[0][0].finish != "error"


def test_the_next_training_starts_from_the_unrounded_weights(half: Path, small: Path) -> None:
    exact = LocalLM(block(half, adapter=small, dtype="float32")).model
    for dtype in ("bfloat16", "float32"):
        lm = LocalLM(block(half, adapter=small, dtype=dtype))
        start = shared.training_copy(lm)
        assert not hasattr(start, "peft_config")
        assert all(
            torch.allclose(p, q, atol=1e-6)
            for p, q in zip(start.parameters(), exact.parameters(), strict=True)
        )
        assert all(p.requires_grad for p in start.parameters())
        assert lm.merged_copy() is not lm.merged_copy()


def test_a_copy_to_put_an_adapter_on_has_the_weights_of_the_model_and_leaves_them(
    half: Path, tmp_path: Path
) -> None:
    """The vocabulary of a small model is most of it: twice in memory is too much."""
    lm = LocalLM(block(half, dtype="float32"))
    before = logits(lm.model)
    copy = shared.training_copy(lm)
    one, other = lm.model.get_input_embeddings().weight, copy.get_input_embeddings().weight
    assert one is not other
    assert one.data_ptr() == other.data_ptr()
    assert (
        copy.get_output_embeddings().weight.data_ptr() == lm.model.get_output_embeddings().weight.data_ptr()
    )
    whole = shared.training_copy(lm, whole=True).get_input_embeddings().weight
    assert whole.data_ptr() != one.data_ptr()
    merged = shared.merged(adapter(copy, tmp_path / "a", 0.3))
    assert not torch.equal(logits(merged), before)
    assert torch.equal(logits(lm.model), before)


def test_a_next_phase_starts_from_the_unrounded_weights(half: Path, tmp_path: Path) -> None:
    live = adapter(LocalLM(block(half, dtype="bfloat16")).model, tmp_path / "a", 0.003)
    expected = torch.cat(
        [
            (m.get_base_layer().weight.double() + m.get_delta_weight("default").double()).flatten()
            for m in live.modules()
            if hasattr(m, "lora_B")
        ]
    )
    base = deltas(live)
    plain = shared.merged(live)
    names = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    found = torch.cat(
        [m.weight.double().flatten() for n, m in plain.named_modules() if n.rpartition(".")[2] in names]
    )
    assert (found - expected).norm() < 1e-3 * base.norm()


def test_a_merged_folder_holds_the_whole_adapter(half: Path, small: Path, tmp_path: Path) -> None:
    weights.save_merged(block(half, adapter=small, dtype="bfloat16"), tmp_path / "one")
    weights.save_merged(block(half, adapter=small), tmp_path / "two")
    exact = LocalLM(block(half, adapter=small, dtype="float32"))
    found = LocalLM(block(tmp_path / "one", dtype="float32"))
    assert torch.allclose(logits(found.model), logits(exact.model), atol=1e-4)
    assert {p.dtype for p in found.model.parameters()} == {torch.float32}
    assert json.loads((tmp_path / "one" / "config.json").read_text())["dtype"] == "float32"
    assert found.render(chat("Who?")) == exact.render(chat("Who?"))
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second


def edited(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Path:
    save_file(change(load_file(folder / lora.WEIGHTS)), folder / lora.WEIGHTS, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: {k.replace("base_model.model.", "transformer."): v for k, v in w.items()}, "no place"),
        (lambda w: {k.replace("base_model.model.", ""): v for k, v in w.items()}, "it has no"),
        (lambda w: {k.replace("model.layers", "h"): v for k, v in w.items()}, "base_model.model.h.0"),
        (lambda w: {k: v for k, v in w.items() if "layers.1.mlp.up_proj" not in k}, "layers.1.mlp.up_proj"),
        (
            lambda w: {k: v for k, v in w.items() if not k.endswith("0.self_attn.q_proj.lora_B.weight")},
            "lora_B",
        ),
        (lambda w: {}, "it has no"),
    ],
)
def test_an_adapter_that_fits_nothing_is_refused_by_name(
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], said: str, half: Path, small: Path
) -> None:
    with pytest.raises(ModelError, match="does not fit") as caught:
        load_lm(block(half, adapter=edited(small, change)))
    assert said in caught.value.what
    assert caught.value.hint


def test_an_adapter_of_other_modules_or_sizes_is_refused(
    half: Path, small: Path, tmp_path: Path, model_folder: Callable[..., Path]
) -> None:
    config = json.loads((small / lora.CONFIG).read_text())
    (small / lora.CONFIG).write_text(json.dumps(config | {"target_modules": ["c_attn"]}))
    with pytest.raises(ModelError, match="does not fit"):
        load_lm(block(half, adapter=small))
    (small / lora.CONFIG).write_text(json.dumps(config | {"r": 8}))
    with pytest.raises(ModelError, match="does not fit"):
        load_lm(block(half, adapter=small))
    adapter(LocalLM(block(model_folder("gpt2"))).model, tmp_path / "other", 0.1)
    with pytest.raises(ModelError, match="does not fit"):
        load_lm(block(half, adapter=tmp_path / "other"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_an_adapter_with_weights_that_are_no_numbers_is_refused(
    value: float, half: Path, small: Path
) -> None:
    name = "layers.1.mlp.up_proj.lora_A"
    edited(small, lambda w: {k: v.fill_(value) if name in k else v for k, v in w.items()})
    with pytest.raises(ModelError, match=f"NaN or inf in its .*{name}"):
        load_lm(block(half, adapter=small))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (lora.WEIGHTS, b"", "cannot be read"),
        (lora.WEIGHTS, b"\x10\x00\x00\x00\x00\x00\x00\x00{", "cannot be read"),
        (lora.CONFIG, b"", "not JSON"),
        (lora.CONFIG, b"\xff\xfe", "not JSON"),
        (lora.CONFIG, b"[]", "peft_type"),
        (lora.CONFIG, b'{"peft_type": "NOPE"}', "peft_type"),
    ],
)
def test_a_damaged_adapter_is_not_said_to_be_another_models(
    file: str, content: bytes, said: str, half: Path, small: Path
) -> None:
    (small / file).write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        load_lm(block(half, adapter=small))
    assert "another model" not in str(caught.value)


def test_other_sizes_are_told(half: Path, small: Path) -> None:
    config = json.loads((small / lora.CONFIG).read_text())
    (small / lora.CONFIG).write_text(json.dumps(config | {"r": 2}))
    with pytest.raises(ModelError, match="size mismatch"):
        load_lm(block(half, adapter=small))


def test_why_an_adapter_changes_nothing(half: Path, small: Path) -> None:
    said: list[str] = []
    config = json.loads((small / lora.CONFIG).read_text())
    (small / lora.CONFIG).write_text(json.dumps(config | {"lora_alpha": 0}))
    load_lm(block(half, adapter=small), say=said.append)
    (small / lora.CONFIG).write_text(json.dumps(config))
    edited(small, lambda w: {k: torch.zeros_like(v) if "lora_A" in k else v for k, v in w.items()})
    load_lm(block(half, adapter=small), say=said.append)
    assert "lora_alpha is 0" in said[0]
    assert "A matrices are zero" in said[1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_adapter_that_changes_nothing_is_said(dtype: str, half: Path, small: Path) -> None:
    said: list[str] = []
    load_lm(block(half, adapter=small, dtype="float32"), say=said.append)
    assert said == []
    edited(small, lambda w: {k: torch.zeros_like(v) if "lora_B" in k else v for k, v in w.items()})
    lm = load_lm(block(half, adapter=small, dtype=dtype), say=said.append)
    assert len(said) == 1
    assert "changes nothing" in said[0]
    assert "zero" in said[0]
    assert lm.generate([chat("Who?")], GREEDY)[0][0].finish != "error"


def test_a_mixture_of_experts_answers_and_its_attention_can_be_adapted(mixture: Path, tmp_path: Path) -> None:
    lm = LocalLM(block(mixture))
    chats = [chat("Who?"), chat("What is the capital of France?"), chat("Where?")]
    together = lm.generate(chats, GREEDY)
    assert [[one.text for one in row] for row in together] == [
        [one.text for one in lm.generate([asked], GREEDY)[0]] for asked in chats
    ]
    targets = lora_targets.lora_config(lm.model, LoraBlock()).target_modules
    assert {name.rpartition(".")[2] for name in targets} == {"q_proj", "k_proj", "v_proj", "o_proj"}
    live = adapter(lm.merged_copy(), tmp_path / "a", 0.3, target_modules=list(targets), lora_dropout=0.05)
    saved = LocalLM(block(mixture, adapter=tmp_path / "a"))
    assert torch.allclose(logits(live), logits(saved.model), atol=1e-4)
    half = LocalLM(block(mixture, adapter=tmp_path / "a", dtype="bfloat16"))
    assert half.generate(chats, GREEDY)[0][0].finish != "error"
