"""Keys that a new recipe shows beside those that it sets: as comments, with the value that they have.

Which ones is a choice of ours (`USEFUL`); docs/reference/recipe.md has all.  Knows the blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from selfstudy.recipe.base import Block
from selfstudy.recipe.commented import UnsetKeys
from selfstudy.recipe.reference import recipe_keys
from selfstudy.recipe.teach import short_key
from selfstudy.recipe.whole import Recipe

_MODEL = (
    *("revision", "adapter", "dtype", "load_in_4bit", "device", "token_budget", "prompt", "demonstrations"),
    *("api_key_env", "api_key_file", "concurrency", "total_timeout", "logprobs", "prices"),
)
_PHASE = ("epochs", "learning_rate", "batch_size")
USEFUL = (
    *(f"model.{name}" for name in _MODEL),
    *("judge", "teacher", "nli", "embedder.path", "answer_key", "prompts", "seed", "cache"),
    *("budget.calls", "budget.tokens", "budget.money", "budget.minutes", "rounds", "min_gain"),
    *("answering.temperature", "answering.repetition_penalty", "answering.max_new_tokens"),
    *("answering.reading_tokens", "answering.block_size"),
    *("probe.samples", "probe.scorer", "probe.threshold", "probe.adaptive"),
    *("gather.reader", "gather.hits", "gather.chunk_tokens", "gather.hybrid", "gather.samples"),
    *("gather.accept", "gather.votes", "gather.conflicts", "gather.max_age"),
    *("teach.method", "teach.wordings", "teach.heldout_wordings", "teach.known_heldout"),
    *("teach.refuse_unverifiable", "teach.misbelief_weight", "teach.finetuning"),
    *("teach.lora.r", "teach.lora.alpha", "teach.lora.dropout"),
    *("verify.max_questions", "verify.margin", "verify.known_questions", "verify.repeats", "verify.control"),
    *("deploy.type", "relearn"),
)
"""Dotted; those of other types of models are left out where the recipe has none of that type."""


def further_keys(recipe: Recipe, data: Mapping[str, Any]) -> UnsetKeys:
    """What a recipe leaves out of `USEFUL`, and of the phases that it trains.

    Args:
        recipe: the checked one.
        data: what it sets, as plain data.
    """
    said = _texts()
    phases = [f"teach.{short_key(block.type)}.{name}" for block in recipe.teach.plan for name in _PHASE]
    values: dict[str, Any] = {}
    about: dict[str, str] = {}
    for path in dict.fromkeys((*USEFUL, *phases, *_leaves(data))):
        block: Any = recipe
        *above, name = path.split(".")
        for part in above:
            block = getattr(block, part, None)
        if not isinstance(block, Block) or name not in type(block).model_fields:
            continue  # of another type of block
        for depth in range(1, len(above) + 1):
            about.setdefault(".".join(above[:depth]), _of_block(recipe, above[:depth], said))
        about[path] = _short(said.get(f"{_home(block)}.{name}", ""))
        if not _is_set(data, path):
            values[path] = block.model_dump(mode="json")[name]
    return UnsetKeys(values, about)


@cache
def _texts() -> dict[str, str]:
    """What keys are, by block and name; made once, for it takes a while."""
    return {key.id: key.text for key in recipe_keys()}


def _of_block(recipe: Recipe, path: list[str], said: Mapping[str, str]) -> str:
    block: Any = recipe
    for part in path[:-1]:
        block = getattr(block, part)
    return _short(said.get(f"{_home(block)}.{path[-1]}", ""))


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys that plain data sets, but for what is in lists."""
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _home(block: Block) -> str:
    return type(block).__name__


def _short(text: str) -> str:
    """The first paragraph."""
    return " ".join(text.partition("\n\n")[0].split())


def _is_set(data: Mapping[str, Any], path: str) -> bool:
    """Whether plain data has the key, or a short form of the block that it is in."""
    here: Any = data
    for part in path.split("."):
        if not isinstance(here, Mapping):
            return True
        if part not in here:
            return False
        here = here[part]
    return True
