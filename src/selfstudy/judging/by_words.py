"""Entailment without any model: by words, names and numbers, and by an embedder where these say nothing.

The rules, for a premise and a hypothesis (words as `judging.terms` has them; particulars are names, numbers,
signs and single letters):

1. *Entailed*: the premise asserts the hypothesis word for word, or it has every particular of it, denies
   none of them, and has most of its other words.
2. *Contradicted*: one of the two denies or doubts what the other says; or each has particulars that the other
   lacks ("... is Warsaw" and "... is Krakow"), and they share another word, or are nothing but names.
3. *Neutral* otherwise: one says more than the other, or they are about different things.

Probabilities are of those that a rule is sure of, `SURE`, or follow from the share of words and the
embedder's cosine.  They are no frequencies of anything.  What it does not see: other words for the same thing
("the USA", "the United States"), and inference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from selfstudy.judging.agreement import denied, particulars, same_words
from selfstudy.judging.assertion import denials
from selfstudy.judging.cues import COMMON
from selfstudy.judging.refusals import is_refusal
from selfstudy.judging.terms import is_exact, terms
from selfstudy.models.base import Embedder, Progress

SURE = 0.95
"""Probability of what a rule is sure of."""
MOST = 0.5
"""Share of the hypothesis' other words that the premise must have."""
_NAMES = ("entailment", "neutral", "contradiction")

Chances = tuple[float, float, float]
"""Probability of entailment, neutral and contradiction."""
ENTAILED: Chances = (SURE, 0.04, 0.01)
CONTRADICTED: Chances = (0.01, 0.04, SURE)
SAYS_MORE: Chances = (0.2, 0.7, 0.1)
"""The hypothesis is about the same and says more."""
UNRELATED: Chances = (0.1, 0.8, 0.1)


@dataclass(frozen=True, slots=True)
class _Said:
    """What of a text is compared."""

    words: frozenset[str]
    particulars: frozenset[str]
    denials: frozenset[str]

    @property
    def content(self) -> frozenset[str]:
        return self.words - COMMON


class WordEntailment:
    """Fulfils `models.base.EntailmentModel` without one. `embedder` is loaded when first needed."""

    name = "none (words and numbers)"

    def __init__(self, embedder: Callable[[], Embedder]) -> None:
        self._embedder = embedder

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        """See `EntailmentModel.probabilities`."""
        entails, _, contradicts = self._rows(pairs).T
        if progress is not None:
            progress(len(pairs))
        return np.asarray(np.stack([entails, contradicts], axis=1) / (entails + contradicts)[:, None])

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """See `EntailmentModel.classes`."""
        return [_NAMES[row.argmax()] for row in self._rows(pairs)]

    def _rows(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float64]:
        found = {pair: by_words(*pair) for pair in dict.fromkeys(pairs)}
        silent = [pair for pair, row in found.items() if row is None]
        rows = found | dict(zip(silent, self._by_likeness(silent), strict=True))
        return np.array([rows[pair] for pair in pairs], dtype=np.float64).reshape(len(pairs), len(_NAMES))

    def _by_likeness(self, pairs: Sequence[tuple[str, str]]) -> list[Chances]:
        """Of texts that share no name or number: alike is entailed, unlike is neutral or contradicted."""
        if not pairs:
            return []
        vectors = self._embedder().encode([text for pair in pairs for text in pair])
        alike = np.clip((vectors[::2] * vectors[1::2]).sum(1), 0.0, 1.0)
        return [(0.9 * like, 0.1, 0.9 * (1 - like)) for like in alike.tolist()]


def by_words(premise: str, hypothesis: str) -> Chances | None:
    """The probabilities by the rules of this module; None where there is no name or number to go by."""
    if premise == hypothesis:
        return ENTAILED
    if is_refusal(premise) or is_refusal(hypothesis):
        return UNRELATED
    if same_words(premise, hypothesis, ""):
        return ENTAILED
    first, second = _said(premise), _said(hypothesis)
    missing, other = second.particulars - first.words, first.particulars - second.words
    shared = first.content & second.content
    if missing and other:
        bare = first.content <= first.particulars and second.content <= second.particulars
        return CONTRADICTED if shared or bare else UNRELATED
    if shared and (first.denials != second.denials or denied(premise, hypothesis, "")):
        return CONTRADICTED
    if missing:
        return SAYS_MORE if shared else UNRELATED
    if not (first.particulars or second.particulars):
        return None
    rest = second.content - second.particulars
    known = len(rest & first.words) / len(rest) if rest else 1.0
    if known >= MOST:
        return ENTAILED
    return SAYS_MORE if second.particulars and shared else None


@lru_cache(maxsize=4096)
def _said(text: str) -> _Said:
    read = terms(text)
    plain = {term.word: term.unpossessed for term in read if term.unpossessed != term.word}
    found = [plain.get(term.word, term.word) for term in read]
    named = {plain.get(word, word) for word in particulars(text) if word not in COMMON or is_exact(word)}
    if text == text.lower():  # nobody wrote capitals: every word may be a name
        named |= {word for word in found if word not in COMMON}
    return _Said(frozenset(found), frozenset(named), frozenset(denials(found)))
