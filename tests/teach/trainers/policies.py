"""A model that cites by chance, and what teaches it to cite right: shared by the tests of PPO and GRPO."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from selfstudy.judging.cited_items import CitedItem
from selfstudy.models import load_lm
from selfstudy.models.base import chat
from selfstudy.models.local import weights
from selfstudy.progress import Silent
from selfstudy.recipe import GRPOBlock, LocalModel, LoraBlock, PPOBlock, SFTBlock
from selfstudy.records import Example
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise, CitedPractice, RewardLevel
from selfstudy.teach.rewards import DEFAULTS
from selfstudy.teach.trainers import grpo, ppo, sft, shared
from tests.judging.test_citations import Entails

from .small import FACTS, setting

torch.set_num_threads(1)

LORA = LoraBlock(r=4, alpha=8, dropout=0.0)
MOST = 0.8
"""Of an answer that gives the city, cites the first document, and does not refuse."""


def exercise(country: str, **changes: Any) -> CitedExercise:
    """Only the first of its documents has the city."""
    city = FACTS[country]
    values = {
        "question": f"Capital of {country}?",
        "documents": (f"{city} is in {country}.", f"{country} is a land."),
        "kind": "asqa",
        "gold": ((city,),),
        "found": ((1,), (0,)),
    }
    item = CitedItem(**{**values, **changes})
    return CitedExercise(chat(item.question), item, country)


EXERCISES = [exercise(country) for country in FACTS]


def has_the_city(document: str, statement: str) -> bool:
    return any(city in document and city in statement for city in FACTS.values())


def rewards(
    level: RewardLevel = "fine", entails: Callable[[str, str], bool] = has_the_city
) -> CitationRewards:
    return CitationRewards(Entails(entails), DEFAULTS, level)


def practice(level: RewardLevel = "fine", dev: int = 0, **changes: Any) -> CitedPractice:
    given = {"exercises": EXERCISES[dev:], "rewards": rewards(level), "dev": EXERCISES[:dev]}
    return CitedPractice(**{**given, **changes})


def make_start(tiny: Path, folder: Path) -> Path:
    """A model that knows the cities, and cites either document."""
    lm = load_lm(LocalModel(path=str(tiny)))
    examples = [
        Example(
            prompt=one.prompt,
            completion=f"{FACTS[one.question_id]} [{number}].",
            question_id=one.question_id,
            kind="cited",
        )
        for one in EXERCISES
        for number in (1, 2)
    ]
    block = SFTBlock(epochs=100, learning_rate=1e-2, batch_size=12)
    model = shared.training_copy(lm, whole=True)
    trained = sft.train(model, lm, examples, block, setting(lora=None), Silent())
    weights.save(trained.model, lm.tokenizer, folder)
    return folder


def block(kind: str, **changes: Any) -> Any:
    values = {
        "steps": 4,
        "batch_size": 3,
        "completions": 4,
        "max_new_tokens": 16,
        "learning_rate": 1e-2,
        "checkpoint_every": 2,
        "temperature": 1.0,
    } | ({"kl": 0.05, "top_k": 0} if kind == "ppo" else {})
    return (PPOBlock if kind == "ppo" else GRPOBlock)(**{**values, **changes})


def train(
    kind: str, lm: Any, given: CitedPractice, report: Any = None, how: Any = None, **changes: Any
) -> shared.Trained:
    how = how or setting(phase=kind, lora=LORA)
    model = shared.training_copy(lm, whole=how.lora is None)
    trainer = ppo if kind == "ppo" else grpo
    return trainer.train(model, lm, given, block(kind, **changes), how, report or Silent())


def trained_weights(trained: shared.Trained) -> torch.Tensor:
    named = sorted((n, p) for n, p in trained.model.named_parameters() if p.requires_grad)
    return torch.cat([p.detach().flatten() for _, p in named])


class Killed(Silent):
    """Dies after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        yield self._advance

    def _advance(self, count: int) -> None:
        self.left -= count
        if self.left <= 0 and count:
            raise KeyboardInterrupt
