"""Questions about countries for a real model, what it answers by itself, and a lesson made of them.

The key is the one of the embedded world (GeoNames), so no probe and no gather are needed: a gap is a question
that the model answers wrongly, its page is that of the library `atlas`, its reference a sentence with the
key's answer.  The answers are kept in the user's cache, by the model's name and size.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfstudy.atlas import language, world
from selfstudy.judging.correctness import states
from selfstudy.models.answering import from_memory
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe

ASKED = {
    "capital": "What is the capital of {x}?",
    "currency": "What is the currency of {x}?",
    "calling code": "What is the calling code of {x}?",
    "domain": "What is the internet domain of {x}?",
    "continent": "On which continent does {x} lie?",
}
TOKENS = 24


@dataclass(frozen=True)
class Asked:
    """A question of the world, and what the untaught model answered."""

    entity: str
    attribute: str
    text: str
    value: str
    said: str
    right: bool

    @property
    def statement(self) -> str:
        return language.statement(self.attribute, self.entity, self.value)


def asked(lm: Any) -> list[Asked]:
    """Every country and every attribute of ASKED, with the model's greedy answers."""
    found = [
        (fact, ASKED[fact.attribute].replace("{x}", fact.entity))
        for fact in world.facts()
        if fact.kind == "country" and fact.attribute in ASKED
    ]
    answers = _cached(lm, [text for _, text in found])
    return [
        Asked(fact.entity, fact.attribute, text, fact.value, said, states(said, [fact.value], text))
        for (fact, text), said in zip(found, answers, strict=True)
    ]


def answers(lm: Any, chats: Sequence[Any]) -> list[str]:
    """Greedy answers of TOKENS tokens, with the recipe's own repetition penalty."""
    block = Recipe().answering.model_copy(update={"max_new_tokens": TOKENS})
    return [row[0].text for row in lm.generate(chats, from_memory(block, 0, 0))]


def _cached(lm: Any, questions: list[str]) -> list[str]:
    chats = [Prompts(demonstrations=True).chat("answer", question=one) for one in questions]
    size = sum(p.numel() for p in lm.model.parameters())
    name = hashlib.sha256(json.dumps([Path(lm.name).name, size, questions]).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selfstudy-benchmarks"
    path = cache / f"answers-{name}.json"
    if not path.exists():
        said = answers(lm, chats)
        cache.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(said))
    return list(json.loads(path.read_text()))
