"""Which of several next turns helps: by the students who then solve the problem (METHODS-MORE C).

A turn is said to a student who then tries the problem afresh, several times; its score is

    weight * share of these attempts that are right + (1 - weight) * (mark - 1) / 9

with a mark from 1 to 10 by a judge (Scarlatos et al. 2025, arXiv 2503.06424).  Turns of one place in a
dialogue are compared with each other, never with those of another.  What was not measured is no part of a
pair.  Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from selfstudy.judging.missing import LOWEST, of_one

WEIGHT = 0.5
MARGIN = 0.1
"""As published: of the outcome, and by how much the scores of a pair differ at least."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A next turn, and what came of it.

    Attributes:
        attempts: of students after it, those that could be read; 0: nobody tried.
        solved: how many of them are right.
        mark: of a judge, in [1, 10]; None: no judge was asked, or it could not be read.
    """

    turn: str
    attempts: int
    solved: int
    mark: float | None = None

    @property
    def outcome(self) -> float | None:
        """Share of attempts that are right; None if nobody tried."""
        return self.solved / self.attempts if self.attempts else None


@dataclass(frozen=True, slots=True)
class Preference:
    """Two turns of one place: `chosen` is better by `difference` (of scores in [0, 1])."""

    chosen: Candidate
    rejected: Candidate
    difference: float


def score(candidate: Candidate, weight: float = WEIGHT) -> float | None:
    """The score of a turn, in [0, 1]; None where a part of it that counts was not measured.

    Args:
        weight: of the outcome, in [0, 1]; 1 needs no mark, 0 no attempt.
    """
    outcome = candidate.outcome
    if (outcome is None and weight > 0) or (candidate.mark is None and weight < 1):
        return None
    mark = LOWEST if candidate.mark is None else candidate.mark
    return weight * (outcome or 0.0) + (1 - weight) * of_one(mark)


def preferences(
    candidates: Sequence[Candidate], weight: float = WEIGHT, margin: float = MARGIN, *, both: bool = False
) -> list[Preference]:
    """All pairs of one place whose scores differ by more than `margin`, in the order of the candidates.

    Args:
        both: the better turn must be better in both parts; a part without weight does not count.
    """
    found = []
    for one, other in combinations(candidates, 2):
        first, second = score(one, weight), score(other, weight)
        if first is None or second is None or one.turn.split() == other.turn.split():
            continue
        better, worse = (one, other) if first > second else (other, one)
        if abs(first - second) > margin + 1e-9 and (not both or _wins_both(better, worse, weight)):
            found.append(Preference(better, worse, abs(first - second)))
    return found


def _wins_both(better: Candidate, worse: Candidate, weight: float) -> bool:
    parts = [
        *([(better.outcome, worse.outcome)] if weight > 0 else []),
        *([(better.mark, worse.mark)] if weight < 1 else []),
    ]
    return all(a is not None and b is not None and a > b for a, b in parts)
