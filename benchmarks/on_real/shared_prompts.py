"""Greedy answers to many prompts that begin alike: the beginning is read once, for this benchmark's speed.

Answers are those of `LocalLM.generate` up to rounding, of models whose cache can be repeated.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

from selfstudy.models.local.chat_format import ChatFormat
from selfstudy.models.local.weights import answering
from selfstudy.records import Chat

ROWS = 64


def greedy(lm: Any, chats: Sequence[Chat], limit: int, penalty: float = 1.0) -> list[str]:
    """One answer to each chat, in order.

    Args:
        limit: most tokens of an answer.
        penalty: the repetition penalty, on what stands behind the common beginning.
    """
    chat_format = ChatFormat(lm.tokenizer, lm.model, lm.style)
    prompts = chat_format.encode([chat_format.render_closed(chat) for chat in chats])
    common = next(
        (at for at, column in enumerate(zip(*prompts, strict=False)) if len(set(column)) > 1),
        min(map(len, prompts)) - 1,
    )
    found = [""] * len(chats)
    order = sorted(range(len(chats)), key=lambda i: len(prompts[i]))
    with answering(lm.model), torch.inference_mode():
        start = lm.model(input_ids=torch.tensor([prompts[0][:common]]), use_cache=True).past_key_values
        for at in range(0, len(order), ROWS):
            part = order[at : at + ROWS]
            rows = _decode(
                lm.model,
                copy.deepcopy(start),
                common,
                [prompts[i][common:] for i in part],
                chat_format,
                limit,
                penalty,
                [chat_format.stop(chats[i]) for i in part],
            )
            for i, text in zip(part, rows, strict=True):
                found[i] = text
    return found


def _decode(
    model: Any,
    cache: Any,
    common: int,
    rests: Sequence[list[int]],
    chat_format: ChatFormat,
    limit: int,
    penalty: float,
    stops: Sequence[Sequence[str]],
) -> list[str]:
    cache.batch_repeat_interleave(len(rests))
    longest = max(map(len, rests))
    tokens = torch.tensor([row[:1] * (longest - len(row)) + row for row in rests])
    own = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rests])
    mask = torch.cat([torch.ones(len(rests), common, dtype=torch.long), own], 1)
    said: list[list[int]] = [[] for _ in rests]
    texts: list[str | None] = [None] * len(rests)
    new = tokens
    for _ in range(limit):
        places = (mask.cumsum(1) - 1)[:, -new.shape[1] :].clamp(min=0)
        logits = model(
            input_ids=new,
            attention_mask=mask,
            position_ids=places,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        if penalty != 1.0:
            for row, rest in enumerate(rests):
                seen = torch.tensor(sorted({*rest, *said[row]}))
                values = logits[row, seen]
                logits[row, seen] = torch.where(values > 0, values / penalty, values * penalty)
        new = logits.argmax(-1, keepdim=True)
        for row, token in enumerate(new[:, 0].tolist()):
            if texts[row] is None:
                said[row].append(token)
                texts[row] = _text(chat_format, said[row], stops[row])
        if all(text is not None for text in texts):
            break
        mask = torch.cat([mask, torch.ones_like(new)], 1)
    return [
        chat_format.read(ids).strip() if text is None else text for ids, text in zip(said, texts, strict=True)
    ]


def _text(chat_format: ChatFormat, tokens: list[int], stops: Sequence[str]) -> str | None:
    """The answer, None while it goes on."""
    ended = tokens[-1] in chat_format.ends
    text = chat_format.read(tokens[:-1] if ended else tokens)
    cut = min((at for at in map(text.find, stops) if at >= 0), default=-1)
    return text[: cut if cut >= 0 else None].strip() if ended or cut >= 0 else None
