"""Tokens of prompts, counted as a model's own tokenizer does, without loading its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.recipe import ModelBlock, weights_of
from selfstudy.records import Chat
from selfstudy.text import estimate_tokens


def tokenizer_of(block: ModelBlock) -> Any:
    """The tokenizer of the weights behind a block; None where they are a server's own."""
    from selfstudy.models.local import loading

    weights = weights_of(block)
    if weights is None:
        return None
    try:
        from transformers import AutoTokenizer

        place, is_folder = loading.locate(weights.path, "lm")
        return AutoTokenizer.from_pretrained(
            place,
            revision=weights.revision,
            trust_remote_code=weights.trust_remote_code,
            local_files_only=is_folder or not loading.hub_answers(),
        )
    except (ModelError, OSError, ValueError):  # no such folder or id here: a server may know it
        return None


def text_counter(block: ModelBlock) -> Callable[[str], int]:
    """Counts the tokens of a text."""
    tokenizer = tokenizer_of(block)
    if tokenizer is None:
        return estimate_tokens
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def chat_counter(block: ModelBlock) -> Callable[[Chat], int]:
    """Counts the tokens of a chat, as its template renders it for an answer."""
    from selfstudy.models.local.chat_format import ChatFormat

    tokenizer = tokenizer_of(block)
    if tokenizer is None:
        return lambda chat: sum(estimate_tokens(turn.content) for turn in chat)
    chat_format = ChatFormat(tokenizer)
    return lambda chat: len(chat_format.encode([chat_format.render(chat)])[0])
