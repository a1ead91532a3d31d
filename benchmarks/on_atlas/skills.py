"""What a taught atlas-lm has not to lose: facts that it knows, and pages that it reads."""

from __future__ import annotations

import random
from typing import Any

from selfstudy.atlas import language, world
from selfstudy.models.base import GREEDY
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.text import contains
from trained_weights import loaded


def atlas(way: str = "lora") -> Any:
    """The shipped model, as it is held to be trained that way."""
    return loaded(LocalModel(path="atlas"), way)


def split(share: float, seed: int) -> tuple[list[world.Entity], list[world.Entity]]:
    """Known entities to practise with, and a share of them that is held out."""
    known = [entity for entity in world.entities() if entity.known]
    random.Random(f"held out:{seed}").shuffle(known)
    cut = round(share * len(known))
    return known[cut:], known[:cut]


def skills(lm: Any, seed: int, most: int = 400) -> dict[str, float]:
    """Shares of facts answered from memory, and of withheld facts read from their pages."""
    rng = random.Random(f"skills:{seed}")
    pages = {one.title: one.text for one in world.documents()}
    found = {}
    for name, known in (("closed book", True), ("reading", False)):
        facts = rng.sample(world.facts(known=known), most)
        asked = [rng.choice(language.wordings(f.attribute, f.entity)) for f in facts]
        chats = [
            Prompts().chat("answer", question=q)
            if known
            else Prompts().chat("read", document=pages[f.entity], question=q)
            for f, q in zip(facts, asked, strict=True)
        ]
        said = lm.generate(chats, GREEDY)
        found[name] = sum(contains(one.text, f.value) for (one,), f in zip(said, facts, strict=True)) / most
    return found
