"""How far a model has moved on what nobody taught it: perplexity of natural text, KL to the model before.

The text is Python's own help (`pydoc_data.topics`), which is on every machine and in no lesson of ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pydoc_data.topics import topics
from typing import Any

import torch

from selfstudy.models.base import Sampling, chat
from selfstudy.models.local.encoding import Answered
from selfstudy.models.local.forward import Forward
from selfstudy.models.local.scoring import LogprobScorer
from selfstudy.models.local.weights import answering
from selfstudy.teach.trainers import distill

PASSAGES, TOKENS = 12, 128
NEUTRAL = (
    "Why is the sky blue?",
    "Name three fruits.",
    "How do birds fly?",
    "What is a contract?",
    "Write one sentence about winter.",
    "Who was Albert Einstein?",
    "What is photosynthesis?",
    "Give an example of a metaphor.",
    "What does a carpenter do?",
    "How is bread made?",
    "What is the square root of 81?",
    "Describe a violin.",
    "What happens when ice melts?",
    "Why do people sleep?",
    "Name a famous novel.",
    "What is a democracy?",
)
"""Asked as a user would, without demonstrations; none is about a country."""
KEPT = 512
"""Tokens of the base's distributions that KL is computed on, the rest as one more."""
SHORT = Sampling(n=1, temperature=0.0, max_new_tokens=16)


class Drift:
    """What the model before teaching made of some texts; `of` compares a model with it."""

    def __init__(self, lm: Any) -> None:
        tokenizer = lm.tokenizer
        names = sorted(topics, key=lambda name: -len(topics[name]))[:PASSAGES]
        encoded = [tokenizer(topics[name], add_special_tokens=False)["input_ids"] for name in names]
        first = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        self._texts = [[*first, *ids[200 : 200 + TOKENS]] for ids in encoded]
        chats = [chat(one) for one in NEUTRAL]
        said = [row[0].text for row in lm.generate(chats, SHORT)]
        prompts = [tokenizer(lm.render(c), add_special_tokens=False)["input_ids"] for c in chats]
        answers = [tokenizer(" " + text, add_special_tokens=False)["input_ids"] for text in said]
        self._rows = {
            str(i): ([*first, *p, *a], len(a))
            for i, (p, a) in enumerate(zip(prompts, answers, strict=True))
            if a
        }
        shown = distill.shown(lm.model, self._rows, KEPT, 2048, rest=True)
        self._base = {name: one.to(lm.model.device) for name, one in shown.items()}

    def of(self, model: Any) -> dict[str, float]:
        """`perplexity` of the passages, and `kl` in nats a token on the base's own answers."""
        logs = [value for row in _logprobs(model, self._texts) for value in row]
        forward = Forward(model)
        total, count = 0.0, 0
        with answering(model), torch.no_grad():
            for name, (ids, size) in self._rows.items():
                tokens = torch.tensor([ids])
                logits = forward.last_logits(tokens, torch.ones_like(tokens), size + 1)[0, :-1]
                total += float(distill.divergence(logits, self._base[name], rest=True).sum())
                count += size
        return {"perplexity": math.exp(-sum(logs) / len(logs)), "kl": total / count}


def _logprobs(model: Any, rows: Sequence[list[int]]) -> list[list[float]]:
    items = [Answered(i, ids, len(ids) - 1) for i, ids in enumerate(rows)]
    with answering(model):
        found = dict(LogprobScorer(model, Forward(model)).score(items, 2048))
    return [found[i] for i in range(len(rows))]
