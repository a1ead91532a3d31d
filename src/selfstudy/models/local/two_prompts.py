"""One answer under two prompts: each token is the model's favourite after one of them, chosen by chance.

MixSD (Liu et al. 2026, arXiv 2605.16865): with probability lambda the token comes from the prompt without
the fact, else from the one with it; both share the answer so far.  What comes out is what the model itself
would say, but for the fact.  Knows nothing of what the prompts hold.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch

from selfstudy.models.base import HasWeights
from selfstudy.models.local import prefixes, weights
from selfstudy.models.local.chat_format import ChatFormat
from selfstudy.models.local.forward import Forward
from selfstudy.models.thinking import NoAnswerError
from selfstudy.records import Chat
from selfstudy.text import until

_ROWS = 64
"""Answers that are decoded together."""


def mixed_answers(
    lm: HasWeights,
    without: Sequence[Chat],
    having: Sequence[Chat],
    share: float,
    limit: int,
    seeds: Sequence[str],
) -> list[str]:
    """One greedy answer to each pair of chats; empty where it has no end within `limit` tokens.

    Args:
        without, having: the chats without and with the fact.
        share: lambda, the chance of a token from `without`.
        limit: most tokens of an answer.
        seeds: decide with which tokens; one for each pair.
    """
    chat_format = ChatFormat(lm.tokenizer, lm.model, lm.style)
    forward = Forward(lm.model)
    tokens = [
        chat_format.encode([chat_format.render_closed(c) for c in chats]) for chats in (without, having)
    ]
    size = _ROWS if forward.pads else 1
    found: list[str] = []
    for start in range(0, len(seeds), size):
        part = slice(start, start + size)
        with weights.answering(lm.model), torch.inference_mode():
            rows = _decode(
                forward,
                [tokens[0][part], tokens[1][part]],
                [random.Random(seed) for seed in seeds[part]],
                share,
                limit,
                _Ends(chat_format, without[part]),
            )
        found += rows
    return found


class _Ends:
    """When an answer is over, and what it says."""

    def __init__(self, chat_format: ChatFormat, chats: Sequence[Chat]) -> None:
        self._format = chat_format
        self._stops = [chat_format.stop(chat) for chat in chats]

    def text(self, row: int, tokens: list[int]) -> str | None:
        """The answer in `tokens`, None while it goes on."""
        ended = tokens[-1] in self._format.ends
        try:
            text = self._format.read(tokens[:-1] if ended else tokens)
        except NoAnswerError:
            return "" if ended else None
        said = until(text, self._stops[row])
        return said.strip() if ended or said != text else None


def _decode(
    forward: Forward,
    prompts: Sequence[Sequence[list[int]]],
    chances: Sequence[random.Random],
    share: float,
    limit: int,
    ends: _Ends,
) -> list[str]:
    sides = [prefixes.padded(side, forward.device)[:2] for side in prompts]
    caches: list[Any] = [None, None]
    count = len(chances)
    said: list[list[int]] = [[] for _ in range(count)]
    texts: list[str | None] = [None] * count
    for _ in range(limit):
        best = []
        for side, (tokens, mask) in enumerate(sides):
            logits, caches[side] = forward.next_logits(tokens, mask, caches[side])
            best.append(logits.argmax(-1))
        own = torch.tensor([rng.random() < share for rng in chances], device=forward.device)
        chosen = torch.where(own, best[0], best[1])
        for row, token in enumerate(chosen.tolist()):
            if texts[row] is None:
                said[row].append(token)
                texts[row] = ends.text(row, said[row])
        if all(text is not None for text in texts):
            break
        one = torch.ones_like(chosen[:, None])
        sides = [
            (torch.cat([tokens, chosen[:, None]], 1), torch.cat([mask, one], 1)) for tokens, mask in sides
        ]
    return [text or "" for text in texts]
