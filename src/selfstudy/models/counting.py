"""Tokens of prompts, counted as a model's own tokenizer does, without loading its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.files import reading
from selfstudy.models.content import Content, of_tokenizer
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.recipe import LocalModel, ModelBlock, name_of, weights_of
from selfstudy.records import Chat, without_demonstrations
from selfstudy.text import estimate_tokens


def tokenizer_of(block: ModelBlock) -> Any:
    """The tokenizer of the weights behind a block; None without any, or where a server alone can read it.

    Raises:
        ModelError: a local model is not there, or cannot be read.
    """
    weights = weights_of(block)
    if weights is None:
        return None
    from selfstudy.models.local import loading, pretrained

    try:
        path, is_folder = loading.locate(weights.path, "lm")
        if _has_none(Path(path)):
            return None
        with loading.explained(weights.path, is_folder):
            return pretrained.read_tokenizer(
                pretrained.source(weights.path, path, is_folder, weights.revision, weights.trust_remote_code)
            )
    except ModelError:
        if block is weights:
            raise
        return None  # of a server, which can answer all the same


def require_here(blocks: Iterable[ModelBlock]) -> None:
    """Raises ModelError for a local model that is not there; whether the Hub has one is not asked."""
    from selfstudy.models.local import loading

    for block in blocks:
        if isinstance(block, LocalModel):
            loading.locate(block.path, "lm")


def _has_none(folder: Path) -> bool:
    """Whether it is a folder without any tokenizer, which need not be tried: that takes seconds."""
    names = ("*tok*", "*vocab*", "*.model")
    return reading.is_folder(folder) and not any(file for name in names for file in folder.glob(name))


def text_counter(block: ModelBlock) -> Callable[[str], int]:
    """Counts the tokens of a text, as content.

    Raises:
        ModelError: as `tokenizer_of`.
    """
    tokenizer = tokenizer_of(block)
    if tokenizer is None:
        return estimate_tokens
    content = _content(tokenizer)

    def count(text: str) -> int:
        with panics_as_errors(f"the tokenizer of {name_of(block)}"):
            return len(tokenizer(content(text), add_special_tokens=False)["input_ids"])

    return count


def content_of(block: ModelBlock) -> Content | None:
    """What may stand in a turn, by the tokenizer and the chat template of the weights; None without them."""
    tokenizer = tokenizer_of(block)
    return None if tokenizer is None else _content(tokenizer)


def _content(tokenizer: Any) -> Content:
    from selfstudy.models.local.chat_format import ChatFormat

    try:
        return ChatFormat(tokenizer).content
    except ModelError:  # a template that only the model's own engine can render
        return of_tokenizer(tokenizer)


def chat_counter(block: ModelBlock) -> Callable[[Chat], int]:
    """Counts the tokens of a chat, as its template renders it for an answer.

    Raises:
        ModelError: as `tokenizer_of`.
    """
    from selfstudy.models.local.chat_format import ChatFormat, style_of

    tokenizer, weights = tokenizer_of(block), weights_of(block)
    if tokenizer is None or weights is None:
        return lambda chat: sum(estimate_tokens(turn.content) for turn in without_demonstrations(chat))
    chat_format = ChatFormat(tokenizer, style=style_of(weights))
    return lambda chat: len(chat_format.encode([chat_format.render(chat)])[0])
