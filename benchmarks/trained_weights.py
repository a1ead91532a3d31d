"""What a training of a benchmark trains: an adapter, all weights, or an adapter on weights of 4 bits."""

from __future__ import annotations

from typing import Any

from selfstudy.models import load_lm
from selfstudy.progress import Terminal
from selfstudy.recipe import LocalModel, LoraBlock, PairsBlock
from selfstudy.records import Pair
from selfstudy.teach.trainers import dpo, shared

WAYS = ["lora", "full", "4bit"]


def loaded(block: LocalModel, way: str) -> Any:
    """The model to train, which also is the one before."""
    return load_lm(block.model_copy(update={"load_in_4bit": way == "4bit"}))


def dpo_trained(
    lm: Any, pairs: list[Pair], block: PairsBlock, lora: LoraBlock, way: str, seed: int
) -> shared.Trained:
    """Preference training on pairs, as the recipe's phase `socratic` does it."""
    full = way == "full"
    setting = shared.Setting(arm="taught", phase="socratic", lora=None if full else lora, seed=seed)
    return dpo.train(shared.training_copy(lm, whole=full), lm, pairs, block, setting, Terminal())
