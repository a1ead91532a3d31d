"""What a reader must know of what judged entailment in a run: from its recipe, and from what was measured.

Knows the recipe's words for it and the run's file; nothing of how it was measured (judging/fitting.py).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from selfstudy.recipe import EntailmentBlock, Recipe
from selfstudy.recipe.entailment import entailment_caution
from selfstudy.run.directory import Run


class EntailmentFit(BaseModel):
    """How what judges entailment does with the run's own sentences.

    Attributes:
        model: its name.
        sentences: distinct ones that were looked at.
        pieces: tokens per word, as its tokenizer cuts them; None where it has none of its own.
        unknown: share of tokens that its vocabulary does not have.
        same, same_entailed: sentences that could be judged against themselves; how many it calls entailed.
        changed, changed_entailed: the same for sentences in which a number or a name was changed.
        problems: what does not fit, in sentences; empty where nothing was found.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    model: str
    sentences: int = 0
    pieces: float | None = None
    unknown: float | None = None
    same: int = 0
    same_entailed: int = 0
    changed: int = 0
    changed_entailed: int = 0
    problems: tuple[str, ...] = ()


def entailment_cautions(run: Run) -> tuple[str, ...]:
    """A sentence each, wherever a figure rests on entailment; empty where there is nothing to say."""
    recipe = run.recipe
    blocks = [recipe.nli, *([recipe.verify.nli] if recipe.verify.nli else [])]
    said = dict.fromkeys(entailment_caution(block, recipe.model) for block in blocks)
    found = run.read_as(run.entailment_file, EntailmentFit)
    return (*filter(None, said), *(found.problems if found is not None else ()))


def evaluated_by(recipe: Recipe) -> EntailmentBlock:
    """What judges the answers of verify."""
    return recipe.verify.nli or recipe.nli
