"""What the single facts of an answer are worth: FActScore's precision with its penalty, and F1@K.

    precision     supported / facts (Min et al. 2023, arXiv 2305.14251, before the penalty: `init_score`)
    penalty       1 if facts > gamma, else exp(1 - gamma / facts); gamma 0: none (the same)
    F1@K          of precision and R_K = min(supported / K, 1); 0 if nothing is supported (Wei et al. 2024,
                  arXiv 2403.18802; Song et al. 2024, arXiv 2406.19276)

Precision alone is won by who says one sure thing, and, as answers without facts have none, by who refuses all
that is hard.  So K is what *one* model says, the same for every model that is compared with it, and what is
averaged over all answers counts one without facts as 0.  Pure functions over counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

GAMMA = 10
"""Facts from which on an answer is not too short (the paper's)."""


@dataclass(frozen=True, slots=True)
class FactCounts:
    """The facts of an answer by their verdict."""

    supported: int
    contradicted: int
    not_found: int

    @property
    def facts(self) -> int:
        """All of them."""
        return self.supported + self.contradicted + self.not_found

    @property
    def precision(self) -> float | None:
        """Share that is supported, in [0, 1]; None without facts."""
        return self.supported / self.facts if self.facts else None


def penalty(facts: int, gamma: int = GAMMA) -> float:
    """What an answer of so many facts is multiplied with, in [0, 1]; 1 with gamma 0.

    Raises:
        ValueError: there are no facts, whose penalty is not defined, or gamma is below 0.
    """
    if facts < 1 or gamma < 0:
        raise ValueError(f"a penalty needs facts and a gamma of 0 or more, found {facts} and {gamma}")
    return 1.0 if facts > gamma else math.exp(1 - gamma / facts)


def factscore(counts: FactCounts, gamma: int = GAMMA) -> float | None:
    """Precision times penalty, in [0, 1]; None without facts, as the paper leaves such answers out."""
    precision = counts.precision
    return None if precision is None else precision * penalty(counts.facts, gamma)


def recall_at(supported: int, k: int) -> float:
    """R_K = min(supported / K, 1).

    Raises:
        ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"R_K needs a K of 1 or more, found {k}")
    return min(supported / k, 1.0)


def f1_at(counts: FactCounts, k: int) -> float:
    """Harmonic mean of precision and R_K, in [0, 1]; 0 if no fact is supported, also without any."""
    recall = recall_at(counts.supported, k)
    if not counts.supported:
        return 0.0
    precision = counts.supported / counts.facts
    return 2 * precision * recall / (precision + recall)


def reference_k(facts: Sequence[int]) -> int:
    """K of a reference run: the median number of facts of its answers that have any, rounded up; at least 1.

    Answers without facts are no answers: with them a model that refuses often would ask little of all others
    (they enter VeriScore's median).
    """
    said = [count for count in facts if count]
    return max(1, math.ceil(median(said))) if said else 1
