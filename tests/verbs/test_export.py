"""A taught adapter as a GGUF file: what is in it does to the model what the adapter does; what is refused."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import lora as adapters
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.local.loading import locate
from selfstudy.recipe import LocalModel
from selfstudy.recipe.file import load_recipe
from selfstudy.run import Run
from selfstudy.verbs.export import export
from tests.conftest import TEMPLATE
from tests.models.server.atlas_gguf import convert
from tests.stories.small import cli, refusal

gguf = pytest.importorskip("gguf", reason="needs the extra gguf")

Folders = Callable[..., Path]
HEADS = {"attn_q": 4, "attn_k": 2}
"""Of the tiny models."""


def make_adapter(model: Path, folder: Path, **changes: Any) -> Path:
    """A random adapter of the model in a folder, on all its linear layers."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    how = {"r": 4, "lora_alpha": 6, "use_rslora": True, "target_modules": "all-linear"} | changes
    wrapped = get_peft_model(AutoModelForCausalLM.from_pretrained(model), LoraConfig(**how))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    adapters.save(wrapped, folder)
    return folder


def in_llama_cpp(name: str, rows: Any) -> Any:
    """Rows of a Llama model in the order of llama.cpp: its RoPE turns neighbours, not halves."""
    heads = HEADS.get(name.split(".")[-2])
    if heads is None:
        return rows
    order = [head * 8 + half * 4 + at for head in range(heads) for at in range(4) for half in (0, 1)]
    return rows[order]


def deltas(file: Path) -> dict[str, Any]:
    """The change of every tensor that a file describes, as llama.cpp applies it."""
    reader = gguf.GGUFReader(file)
    fields = {name: reader.fields[name].contents() for name in reader.fields}
    assert (fields["general.type"], fields["adapter.type"]) == ("adapter", "lora")
    found = {tensor.name: torch.tensor(tensor.data) for tensor in reader.tensors}
    names = {name.rpartition(".lora_")[0] for name in found}
    assert len(found) == 2 * len(names)
    changes = {}
    for name in names:
        a, b = found[f"{name}.lora_a"], found[f"{name}.lora_b"]
        assert a.shape[0] == b.shape[1]
        changes[name] = (fields["adapter.lora.alpha"] / b.shape[1] * b @ a).numpy()
    return changes


@pytest.mark.parametrize("kind", ["llama", "qwen3-gguf"])
def test_what_is_written_does_what_the_adapter_does(
    kind: str, model_folder: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers reads the file of the base with the changes added: it knows names and order by itself."""
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    folder = model_folder(kind, TEMPLATE)
    adapter = make_adapter(folder, tmp_path / "adapter")
    base, said = folder, []
    if kind == "qwen3-gguf":
        base = convert(folder, tmp_path / "base.gguf")
    export(adapter, tmp_path / "a.gguf", str(base), said.append)
    assert any("rank 4, 14 layers" in line for line in said)
    served = base if base.is_file() else "MODEL.gguf"
    assert f"llama-server -m {served} --lora {tmp_path / 'a.gguf'}" in "\n".join(said)

    changes = deltas(tmp_path / "a.gguf")
    assert len(changes) == 14

    def added(name: str, tensor: Any) -> Any:
        tensor = in_llama_cpp(name, tensor) if kind == "llama" else tensor
        return tensor + changes.pop(name) if name in changes else tensor

    whole = convert(folder, tmp_path / "whole.gguf", kind.removesuffix("-gguf"), added)
    assert not changes
    found = LocalLM(LocalModel(path=str(whole))).model
    wanted = LocalLM(LocalModel(path=str(folder), adapter=adapter, dtype="float32")).model.state_dict()
    for name, tensor in found.state_dict().items():
        assert torch.allclose(tensor, wanted[name], atol=1e-6), name


@pytest.mark.parametrize("kind", ["llama", "qwen3-gguf"])
def test_llama_cpp_says_with_it_what_we_say(kind: str, model_folder: Folders, tmp_path: Path) -> None:
    """A real llama.cpp, where there is one: pip install llama-cpp-python (it is compiled, some minutes)."""
    llama_cpp = pytest.importorskip("llama_cpp", reason="needs llama-cpp-python")
    folder = model_folder(kind, TEMPLATE)
    adapter = make_adapter(folder, tmp_path / "adapter")
    export(adapter, tmp_path / "a.gguf", str(folder), lambda line: None)
    turned = in_llama_cpp if kind == "llama" else lambda name, tensor: tensor
    base = convert(folder, tmp_path / "base.gguf", kind.removesuffix("-gguf"), turned)
    tokens = list(range(20, 52))
    with torch.inference_mode():
        taught = (
            LocalLM(LocalModel(path=str(folder), adapter=adapter)).model(torch.tensor([tokens])).logits[0]
        )
        plain = LocalLM(LocalModel(path=str(folder))).model(torch.tensor([tokens])).logits[0]
    how = {"logits_all": True, "n_ctx": 64, "n_threads": 1, "type_k": 0, "type_v": 0, "verbose": False}
    for lora, ours in ((None, plain), (str(tmp_path / "a.gguf"), taught)):
        served = llama_cpp.Llama(str(base), lora_path=lora, **how)
        served.eval(tokens)
        theirs = torch.tensor(served.scores[: len(tokens)])
        assert torch.allclose(theirs, ours, atol=0.02), (lora, (theirs - ours).abs().max())
    assert (taught - plain).abs().max() > 1


def test_a_run_gives_its_promoted_adapter(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (tmp_path / "my.yaml").write_text("library: atlas\n")
    with Run.create_or_resume(run, load_recipe(tmp_path / "my.yaml", [])) as opened:
        turn = opened.round(1)
        message = refusal(cli("export", run, tmp_path / "a.gguf"))
        assert "promoted nothing" in message
        make_adapter(_atlas(), turn.adapter())
        opened.write_json(turn.gate_file, {"promoted": True})
    code, said, _ = cli("export", run, tmp_path / "a.gguf")
    assert code == 0
    assert "42 layers of a model of architecture qwen3" in said
    assert "convert_hf_to_gguf.py" in said
    assert len(deltas(tmp_path / "a.gguf")) == 42
    assert "is there already" in refusal(cli("export", run, tmp_path / "a.gguf"))
    assert "no name of a GGUF file" in refusal(cli("export", run, tmp_path / "a.bin"))


def _atlas() -> Path:
    return Path(locate("atlas", "lm")[0])


def test_what_has_no_place_in_such_a_file_is_refused(
    model_folder: Folders, tiny_llama: Path, mixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.gguf"

    def said(adapter: Path, model: Path) -> str:
        return refusal(cli("export", adapter, target, "--model", model))

    llama = make_adapter(tiny_llama, tmp_path / "llama")
    gpt2 = make_adapter(model_folder("gpt2"), tmp_path / "gpt2", fan_in_fan_out=True)
    assert "architecture 'gpt2' is not exported" in said(gpt2, model_folder("gpt2"))
    assert "of size (32, 48), and the model has one of (256, 640)" in said(llama, _atlas())
    experts = make_adapter(
        mixture, tmp_path / "experts", target_modules=["q_proj"], target_parameters=["mlp.experts.down_proj"]
    )
    assert "is no plain LoRA adapter (target_parameters)" in said(experts, mixture)
    head = make_adapter(tiny_llama, tmp_path / "odd", target_modules=["q_proj"], modules_to_save=["lm_head"])
    assert "is no plain LoRA adapter (modules_to_save)" in said(head, tiny_llama)
    assert "name its model" in refusal(cli("export", llama, target))
    assert "neither a run nor" in refusal(cli("export", tmp_path, target))
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "selfstudy.models.local.gguf_adapter.find_spec", lambda name: None if name == "gguf" else find(name)
    )
    assert "pip install 'selfstudy[gguf]'" in said(llama, tiny_llama)
    assert not target.exists()
