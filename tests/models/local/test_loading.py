"""What is no model folder says what it is; settings that would crash torch are put right."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from selfstudy.errors import MissingExtraError, ModelError
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.local import loading, pretrained
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.nli import EntailmentClassifier
from selfstudy.recipe import LocalModel, NLIBlock


@pytest.fixture
def copied(tiny_llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "model"))


@pytest.mark.parametrize("name", ["model.gguf", "Model.Q4_K_M.GGUF", "weights.bin"])
def test_a_gguf_file_is_called_one(name: str, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="needs the extra gguf")
    file = tmp_path / name
    file.write_bytes(b"GGUF\x03\x00\x00\x00")
    with pytest.raises(ModelError, match="no GGUF file that can be read"):
        LocalLM(LocalModel(path=str(file)))
    with pytest.raises(ModelError, match="which only a language model may be") as caught:
        EntailmentClassifier(NLIBlock(path=str(file)))
    assert name in caught.value.what
    file = file.rename(tmp_path / "a.gguf")
    with pytest.raises(ModelError, match=r"a\.gguf is no GGUF file that can be read"):  # the folder means it
        LocalLM(LocalModel(path=str(tmp_path)))
    shutil.copy(file, tmp_path / "b.gguf")
    with pytest.raises(ModelError, match="holds 2 GGUF files") as caught:
        LocalLM(LocalModel(path=str(tmp_path)))
    assert caught.value.hint == "name one of them"


def test_a_gguf_file_without_the_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="gguf"):
        LocalLM(LocalModel(path=str(tmp_path / "model.gguf")))


def test_another_file_is_no_folder(copied: Path) -> None:
    with pytest.raises(ModelError, match="is a file") as caught:
        LocalLM(LocalModel(path=str(copied / "model.safetensors")))
    assert str(copied) in caught.value.hint


@pytest.mark.parametrize(
    ("name", "content", "package"),
    [
        ("tokenizer.model", b"\n\x0e\n\x05<unk>\x15\x00", "sentencepiece"),
        ("spiece.model", b"\n\x0e\n\x05<unk>\x15\x00", "sentencepiece"),
        ("tokenizer.model", b"IQ== 0\nIg== 1\n", "tiktoken"),
    ],
)
def test_the_package_that_a_tokenizer_lacks_is_named(
    name: str, content: bytes, package: str, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in copied.glob("tokenizer*"):
        file.unlink()
    (copied / name).write_bytes(content)
    (copied / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer"}))
    if find_spec(package) is not None:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError) as caught:
        LocalLM(LocalModel(path=str(copied)))
    assert f"needs the package '{package}'" in caught.value.what
    assert f"pip install {package}" in caught.value.hint


@pytest.mark.parametrize("pad", ["size", -1, 10**6, None])
def test_a_pad_token_without_an_embedding_does_no_harm(pad: object, copied: Path) -> None:
    config = json.loads((copied / "config.json").read_text())
    expected = LocalLM(LocalModel(path=str(copied))).generate(
        [chat("Who?"), chat("And where is it?")], GREEDY
    )
    config["pad_token_id"] = config["vocab_size"] if pad == "size" else pad
    (copied / "config.json").write_text(json.dumps(config))
    lm = LocalLM(LocalModel(path=str(copied)))
    assert lm.generate([chat("Who?"), chat("And where is it?")], GREEDY) == expected
    assert lm.logprobs([chat("Who?")], ["Paris."])[0]


def test_an_entailment_model_pads_with_a_token_that_it_has(tiny_nli: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_nli, tmp_path / "nli"))
    pairs = [("Paris is the capital of France.", "Who?"), ("x", "y")]
    expected = EntailmentClassifier(NLIBlock(path=str(tiny_nli), device="cpu")).probabilities(pairs)
    config = json.loads((folder / "config.json").read_text())
    config["pad_token_id"] = config["vocab_size"]
    (folder / "config.json").write_text(json.dumps(config))
    nli = EntailmentClassifier(NLIBlock(path=str(folder), device="cpu"))
    nli.tokenizer.add_special_tokens({"pad_token": "<another pad>"})
    assert nli.tokenizer.pad_token_id == config["vocab_size"]
    assert nli.probabilities(pairs) == pytest.approx(expected, abs=1e-5)
    assert torch.isfinite(torch.tensor(nli.probabilities(pairs))).all()


def test_what_fails_where_a_model_computes_keeps_its_cause() -> None:
    for error in (KeyError("x"), RuntimeError("shapes differ"), AttributeError("a bug of ours")):
        with pytest.raises(ModelError, match="fails where it computes") as caught, loading.computing("m"):
            raise error
        assert caught.value.__cause__ is error
        assert caught.value.hint.startswith("perhaps")
    device = getattr(torch, "AcceleratorError", RuntimeError)
    for error in (device("CUDA error: device-side assert triggered"), RuntimeError("CUDA error: unknown")):
        with pytest.raises(ModelError, match="its device failed") as caught, loading.computing("m"):
            raise error
        assert "device: cpu" in caught.value.hint
        assert "perhaps" not in caught.value.hint
    for error in (TimeoutError("t"), OSError(5, "I/O"), MemoryError(), RuntimeError("CUDA out of memory")):
        with pytest.raises(type(error)) as passed, loading.computing("m"):
            raise error
        assert passed.value is error
