"""A premise judged sentence by sentence: entailed if one of its sentences entails, as in SummaC's zero-shot
form (Laban et al. 2022, arXiv 2111.09525, section 3.1).

For models that were trained on pairs of sentences and lose track in longer texts, such as atlas-nli, which
does not see of whom a value is said (decision 19).  What two sentences say only together is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from selfstudy.models.base import EntailmentModel, Progress
from selfstudy.recipe import EntailmentBlock, NLIBlock
from selfstudy.recipe.entailment import ATLAS
from selfstudy.text import sentences

_TITLE = "Title: "
_STRENGTH = {"entailment": 2, "contradiction": 1, "neutral": 0, "": -1}


class BySentence:
    """Fulfils `models.base.EntailmentModel` by another one, which it asks once for each distinct pair."""

    def __init__(self, model: EntailmentModel) -> None:
        self.name = f"{model.name}, sentence by sentence"
        self._model = model

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        """See `EntailmentModel.probabilities`: those of the sentence that entails most."""
        if not pairs:
            return np.empty((0, 2))
        parts, starts = _parts(pairs)
        found = self._model.probabilities(parts)
        rows = [
            of[of[:, 0].argmax()] if np.isfinite(of).all() else of[0] * np.nan
            for of in np.split(found, starts[1:])
        ]
        if progress is not None:
            progress(len(pairs))
        return np.array(rows)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """See `EntailmentModel.classes`: entailed by one, else contradicted by one; unknown if one is."""
        parts, starts = _parts(pairs)
        labels = self._model.classes(parts)
        found = []
        for start, end in pairwise([*starts, len(parts)]):
            of = labels[start:end]
            found.append("" if "" in of else max(of, key=_STRENGTH.__getitem__))
        return found


def for_citations(block: EntailmentBlock, model: EntailmentModel) -> EntailmentModel:
    """What judges citations, of a recipe's entailment model: see `NLIBlock.premise`."""
    return BySentence(model) if reads_sentences(block) else model


def reads_sentences(block: EntailmentBlock) -> bool:
    """Whether documents are judged a sentence at a time."""
    if not isinstance(block, NLIBlock):
        return False
    return (block.premise or ("sentences" if block.path == ATLAS else "whole")) == "sentences"


def _parts(pairs: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[int]]:
    """The pairs of sentences, and where those of each pair begin; a premise without any is one pair."""
    parts: list[tuple[str, str]] = []
    starts = []
    split: dict[str, list[str]] = {}
    for premise, hypothesis in pairs:
        if premise not in split:
            split[premise] = _sentences(premise) or [premise]
        starts.append(len(parts))
        parts += [(sentence, hypothesis) for sentence in split[premise]]
    return parts, starts


def _sentences(premise: str) -> list[str]:
    lines = [line for line in premise.splitlines() if not line.startswith(_TITLE)]
    return [one for line in lines for one in sentences(line)]
