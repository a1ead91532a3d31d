"""What `transformers serve` gets instead of a model folder's own files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from selfstudy.models.base import chat
from selfstudy.models.local.chat_format import ChatFormat
from selfstudy.models.server.serve_fixes import changed_files
from tests.conftest import TEMPLATE

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_model_whose_replies_would_be_read_wrongly(model_folder: Callable[..., Path]) -> None:
    changed = changed_files(model_folder("qwen3", TEMPLATE))
    config = json.loads(changed["tokenizer_config.json"])
    assert config["response_template"]["start_anchor"] == "<|assistant|>"
    assert config["response_template"]["fields"]["content"]["close"] == "<|end|>"
    assert config["eos_token"] == "<|end|>"  # the rest stays


def test_models_that_need_nothing(model_folder: Callable[..., Path]) -> None:
    assert changed_files(model_folder("qwen3", CHATML)) == {}
    assert changed_files(model_folder("llama", TEMPLATE)) == {}


def test_a_model_without_a_template_gets_the_plain_one(model_folder: Callable[..., Path]) -> None:
    from transformers import AutoTokenizer

    folder = model_folder("gpt2")
    (name, template), *rest = changed_files(folder).items()
    assert (name, rest) == ("chat_template.jinja", [])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for asked in (chat("Who?"), chat("Who?", "You are a student.")):
        plain = ChatFormat(tokenizer).render(asked)
        turns = [turn.model_dump() for turn in asked]
        tokenizer.chat_template = template
        assert tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) == plain
        tokenizer.chat_template = None
