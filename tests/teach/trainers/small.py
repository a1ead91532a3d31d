"""Six facts, and a short training on them: shared by the tests of the trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from selfstudy.models import lora as adapters
from selfstudy.models.base import chat
from selfstudy.progress import Silent
from selfstudy.recipe import LoraBlock, SFTBlock
from selfstudy.records import Example, Pair
from selfstudy.teach.trainers import sft, shared

torch.set_num_threads(1)

FACTS = {
    "France": "Paris",
    "Peru": "Lima",
    "Ghana": "Accra",
    "Nepal": "Kathmandu",
    "Cuba": "Havana",
    "Fiji": "Suva",
}


EXAMPLES = [
    Example(
        prompt=chat(f"What is the capital of {country}?", "You are a student who is eager to learn."),
        completion=f"{city} is the capital of {country}.",
        question_id=country,
        kind="reference",
    )
    for country, city in FACTS.items()
]


PAIRS = [
    Pair(
        prompt=e.prompt,
        chosen=e.completion,
        rejected="It is a parrot.",
        question_id=e.question_id,
        verdict="unknown",
    )
    for e in EXAMPLES
]


def setting(**changes: Any) -> shared.Setting:
    values = {"arm": "taught", "phase": "sft", "lora": LoraBlock(r=8, alpha=16, dropout=0.0), "seed": 0}
    return shared.Setting(**{**values, **changes})


def taught(lm: Any, folder: Path, lora: LoraBlock | None = None, **changes: Any) -> shared.Trained:
    values = {"epochs": 30, "learning_rate": 2e-2, "batch_size": 6}
    how = setting() if lora is None else setting(lora=lora)
    block = SFTBlock(**{**values, **changes})
    trained = sft.train(shared.training_copy(lm), lm, EXAMPLES, block, how, Silent())
    shared.without_nan(trained.model)
    adapters.save(trained.model, folder)
    return trained
