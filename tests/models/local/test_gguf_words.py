"""Words that a GGUF file has as wholes: read from its header, and kept whole by the tokenizer made of it."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.models.local import gguf, gguf_words
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from tests.conftest import TEMPLATE
from tests.models.server.atlas_gguf import convert

from .test_gguf import header, text, write


def setting(name: bytes, value: bytes) -> bytes:
    return text(b"tokenizer.ggml." + name) + value


def vocabulary(kind: bytes) -> list[bytes]:
    words = [b"the", "<｜User｜>".encode(), b"  ", b"<s>"]
    return [
        setting(b"model", struct.pack("<I", 8) + text(kind)),
        setting(b"tokens", struct.pack("<IIQ", 9, 8, 4) + b"".join(map(text, words))),
        setting(b"token_type", struct.pack("<IIQ4i", 9, 5, 4, 1, 3, 4, 3)),
    ]


def test_words_are_read_from_the_header(tmp_path: Path) -> None:
    file = write(tmp_path, header(vocabulary(b"gpt2"), []))
    assert gguf.whole_words(file) == [
        gguf.Word(1, "<｜User｜>", True),
        gguf.Word(2, "  ", False),
        gguf.Word(3, "<s>", True),
    ]
    assert gguf.whole_words(write(tmp_path, header(vocabulary(b"llama"), []))) == []
    assert gguf.whole_words(write(tmp_path, header(vocabulary(b"gpt2")[1:], []))) == []
    named = text(b"general.architecture") + struct.pack("<I", 8) + text(b"qwen3")
    assert gguf.architecture(write(tmp_path, header([named], []))) == "qwen3"
    assert gguf.architecture(write(tmp_path, header([], []))) == ""


def test_a_word_that_llama_cpp_calls_control_by_mistake_stays_text(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    before = {"model": {"vocab": {"a": 0, "ÃŃ": 1}}, "added_tokens": []}
    file.write_text(json.dumps(before))
    gguf_words.mend(tmp_path, [gguf.Word(0, "a", False), gguf.Word(1, "í", True), gguf.Word(7, "<é>", True)])
    assert json.loads(file.read_text()) == before


def test_words_stay_whole_and_keep_their_numbers(
    model_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers cuts both into pieces, or gives them numbers that the model has no embedding for."""
    pytest.importorskip("gguf", reason="needs the extra gguf")
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    user, folder = "<｜User｜>", tmp_path / "model"
    shutil.copytree(model_folder("qwen3-gguf", TEMPLATE), folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    words, merges = content["model"]["vocab"], content["model"]["merges"]
    last = max(words.values())
    assert words.pop("".join(merges.pop())) == last
    words["ĠFijiĠIslands"] = last
    words[user] = words.pop("<|user|>")
    next(token for token in content["added_tokens"] if token["content"] == "<|user|>")["content"] = user
    (folder / "tokenizer.json").write_text(json.dumps(content))
    lm = LocalLM(LocalModel(path=str(convert(folder, tmp_path / "m.gguf"))))
    found = lm.tokenizer(f"{user} Fiji Islands{user}")["input_ids"]
    assert found == [words[user], last, words[user]]
    assert lm.tokenizer.decode(found, skip_special_tokens=True) == " Fiji Islands"
    assert lm.tokenizer.decode(found) == f"{user} Fiji Islands{user}"


def test_a_tokenizer_that_reads_otherwise_once_it_was_written_is_refused(
    model_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As transformers 5.17 wrote Gemma's: every letter alone, and a model that seems to know nothing."""
    pytest.importorskip("gguf", reason="needs the extra gguf")
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))

    def letters(folder: Path, words: Sequence[gguf.Word]) -> None:
        content = json.loads((folder / "tokenizer.json").read_text())
        content["model"]["merges"] = []
        (folder / "tokenizer.json").write_text(json.dumps(content))

    folder = model_folder("qwen3-gguf", TEMPLATE)
    file = str(convert(folder, tmp_path / "m.gguf"))
    with monkeypatch.context() as patch:
        patch.setattr(gguf_words, "mend", letters)
        with pytest.raises(ModelError, match=r"does not read the words .*\n.*newer one may"):
            LocalLM(LocalModel(path=file))
    found = LocalLM(LocalModel(path=file)).tokenizer("The country")["input_ids"]
    assert found == LocalLM(LocalModel(path=str(folder))).tokenizer("The country")["input_ids"]
