"""Tokens are counted by the tokenizer of the weights; what is not there is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from selfstudy.errors import ModelError
from selfstudy.models.counting import chat_counter, require_here, text_counter
from selfstudy.recipe import LocalModel, RemoteModel, ServerModel
from selfstudy.text import estimate_tokens


def test_a_local_model_that_is_not_there_has_no_count(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        text_counter(LocalModel(path=str(tmp_path / "nothing")))
    with pytest.raises(ModelError, match="no model folder"):
        chat_counter(LocalModel(path="./nothing"))


def test_models_that_must_be_here(tiny_llama: Path) -> None:
    require_here([LocalModel(path=str(tiny_llama)), RemoteModel(model="x"), LocalModel(path="owner/name")])
    with pytest.raises(ModelError, match="no model folder"):
        require_here([LocalModel(), LocalModel(path="./nothing")])


def test_a_folder_that_is_no_model_has_no_count_either(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        text_counter(LocalModel(path=str(tmp_path)))


def test_what_a_server_knows_alone_is_estimated() -> None:
    for block in (
        ServerModel(engine="vllm", model="./nothing"),
        ServerModel(engine="ollama", model="qwen", weights="./nothing"),
    ):
        assert text_counter(block)("three short words") == estimate_tokens("three short words")


def test_text_is_counted_as_the_tokenizer_does(tiny_llama: Path) -> None:
    text = "The Danube flows through Vienna, Budapest and Belgrade."
    tokens = AutoTokenizer.from_pretrained(tiny_llama)(text, add_special_tokens=False)["input_ids"]
    assert text_counter(LocalModel(path=str(tiny_llama)))(text) == len(tokens) != estimate_tokens(text)
