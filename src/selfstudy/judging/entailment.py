"""What judges entailment in a run, by the recipe's block `nli`; each kind is loaded when first needed.

Knows the kinds and what each is made from; nothing of what is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from selfstudy.judging.by_prompt import PromptedEntailment
from selfstudy.judging.by_words import WordEntailment
from selfstudy.models import load_nli
from selfstudy.models.base import Embedder, EntailmentModel, LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import EntailmentBlock, EntailmentWeights, PromptedNLI

if TYPE_CHECKING:
    from selfstudy.files.cache import Cache


def entailment_model(
    block: EntailmentBlock,
    cache: Cache | None,
    prompts: Prompts,
    lm: Callable[[PromptedNLI], LanguageModel],
    embedder: Callable[[], Embedder],
    load: Callable[[EntailmentBlock, Cache | None], EntailmentModel] = load_nli,
) -> EntailmentModel:
    """What a recipe's `nli` names.

    Args:
        cache: keeps what a model has judged.
        lm: the language model that `type: lm` asks.
        embedder: what `none` compares texts with that share no name or number.
        load: loads a model of transformers.

    Raises:
        ModelError: a model cannot be loaded.
    """
    if isinstance(block, EntailmentWeights):
        return load(block, cache)
    if isinstance(block, PromptedNLI):
        return PromptedEntailment(lm(block), prompts, cache)
    return WordEntailment(embedder)
