"""What says whether one text follows from another: a classifier, a model that writes its verdict, a language
model by prompt, or words alone.

Knows how each is written in a recipe, and what to tell people of it; nothing of how any of them judges.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from selfstudy.recipe.base import Block, Positive
from selfstudy.recipe.models import LocalModel, ModelBlock, ServerModel

ATLAS = "atlas"


def _word(value: Any) -> Any:
    """YAML reads the word true as a truth value."""
    return "true" if value is True else value


class EntailmentWeights(Block):
    """What models of entailment that are loaded share."""

    path: str
    """A folder or Hub id."""
    revision: str | None = None
    """Branch, tag or commit on the Hub; null: the Hub's own."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    """Number type of the weights."""
    device: str = "auto"
    """auto, or as torch has it: cpu, cuda, cuda:1."""
    token_budget: Positive | None = None
    """Most tokens of one batch, padding included, halved when memory runs out.

    None: 512 on a CPU, else 16,384.
    """


class NLIBlock(EntailmentWeights):
    """A sequence-classification NLI model; its labels are read from `id2label`."""

    type: Literal["classifier"] = "classifier"
    path: str = ATLAS
    """A folder or Hub id, or `atlas`, which knows the sentences of the embedded world alone."""
    premise: Literal["whole", "sentences"] | None = None
    """Where citations are judged: documents as they are, or a sentence at a time; null: as they are, but for
    atlas-nli, which knows sentences."""


class Seq2SeqNLI(EntailmentWeights):
    """An encoder-decoder, such as a T5, that was trained to write its verdict."""

    type: Literal["seq2seq"] = "seq2seq"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """A T5 can overflow in float16, and then gives no number: take bfloat16 or float32."""
    form: Annotated[Literal["true", "attrscore"], BeforeValidator(_word)] = "true"
    """true: "premise: ... hypothesis: ...", answered with 1 or 0, as google/t5_xxl_true_nli_mixture reads it
    (Honovich et al. 2022, arXiv 2204.04991).  attrscore: whether a reference supports a claim, answered with
    Attributable, Contradictory or Extrapolatory (Yue et al. 2023, arXiv 2305.06311); the words are ours."""


class PromptedNLI(Block):
    """A language model that is asked whether a statement is true by a text (prompts/entail.txt)."""

    type: Literal["lm"] = "lm"
    ask: Literal["judge", "model"] = "judge"
    """judge: the recipe's judge, else its teacher, else its model; model: the recipe's model as it was before
    any teaching, loaded a second time where its weights are trained here.
    Source: docs/decisions/0013-entailment-without-a-model.md."""


class NoNLI(Block):
    """No entailment model: words, numbers and the embedder decide (judging/by_words.py)."""

    type: Literal["none"] = "none"


def _classifier_unless_said(value: Any) -> Any:
    if isinstance(value, str):
        return {"type": value}  # nli: none
    return {"type": "classifier", **value} if isinstance(value, dict) else value


EntailmentBlock = Annotated[
    Annotated[NLIBlock | Seq2SeqNLI | PromptedNLI | NoNLI, Field(discriminator="type")],
    BeforeValidator(_classifier_unless_said),
]
"""`type` says which; it is `classifier` where it is left out, and may stand alone: `nli: none`."""


def default_entailment(model: ModelBlock) -> NLIBlock | NoNLI:
    """What judges entailment where a recipe does not say: atlas-nli knows the sentences of atlas-lm alone."""
    return NLIBlock() if is_atlas(model) else NoNLI()


def is_atlas(model: ModelBlock) -> bool:
    """Whether a block names the embedded language model."""
    if isinstance(model, ServerModel):
        return ATLAS in (model.model, model.weights)
    return isinstance(model, LocalModel) and model.path == ATLAS


def entailment_name(block: EntailmentBlock) -> str:
    """What tables and figures call it."""
    if isinstance(block, EntailmentWeights):
        return f"{block.path}@{block.revision}" if block.revision else block.path
    return f"the {block.ask}, by prompt" if isinstance(block, PromptedNLI) else "none: words and numbers"


def entailment_caution(block: EntailmentBlock, model: ModelBlock) -> str:
    """What a reader of figures must know of what judged entailment; empty where there is nothing to say."""
    if isinstance(block, NoNLI):
        return (
            "There was no entailment model (nli: none): whether texts agree was decided by their words, "
            "names and numbers, and by the embedder where these say nothing. Other words for the same thing "
            "can count as a contradiction."
        )
    if isinstance(block, PromptedNLI):
        return (
            "There was no entailment model: a language model was asked by prompt whether texts agree "
            f"(nli: lm, the {block.ask})."
        )
    if isinstance(block, NLIBlock) and block.path == ATLAS and not is_atlas(model):
        return (
            "The entailment model atlas-nli knows the sentences of the embedded world alone, and these "
            "answers are of another model: what it says of them is near to chance. Leave nli out (words and "
            "numbers decide), or set nli.path to a model trained on MNLI."
        )
    return ""
