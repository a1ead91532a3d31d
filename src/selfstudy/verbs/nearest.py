"""Which questions of a run are nearest to one that a person puts, by their words.

Knows nothing of what a run knows about them.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from selfstudy import text

NEAR = 0.5
"""Least token F1 with a question of the run, for the run to know anything about it."""
MOST_ALIKE = 20
"""Questions that are given where many are equally near: who asks puts it in other words then."""


@dataclass(frozen=True)
class Near:
    """A question of a run.

    Attributes:
        nearness: token F1 with what was asked, in [0, 1]; that of the same words in the same order is 1.
        exact: whether it has the same words in the same order.
        place: of the first such question among those that were given.
    """

    nearness: float
    exact: bool
    question_id: str
    text: str
    place: int

    @property
    def is_near(self) -> bool:
        """Whether it may be what was meant."""
        return self.nearness >= NEAR


def nearest(questions: Iterable[tuple[str, str]], asked: str, most: int = 1) -> list[Near]:
    """The questions nearest to what was asked, each once; those of the same nearness in their order.

    Those that share no word with it are none.

    Args:
        questions: (id, text), any number of them: they are gone through once, and few are kept.
        asked: a question in a person's words.
        most: of these, and then those that are as near as the first, up to `MOST_ALIKE`.
    """
    words = text.tokens(asked)
    bag = Counter(words)
    kept: list[tuple[tuple[bool, float, int], Near]] = []
    for place, (name, said) in enumerate(questions):
        own = text.tokens(said)
        exact = own == words
        nearness = 1.0 if exact else _f1(bag, len(words), own)
        rank = (not exact, -nearness, place)
        full = len(kept) >= max(most, MOST_ALIKE)
        if nearness == 0 or (full and rank > kept[-1][0]) or any(one.question_id == name for _, one in kept):
            continue
        insort(kept, (rank, Near(nearness, exact, name, said, place)), key=lambda pair: pair[0])
        del kept[max(most, MOST_ALIKE) :]
    if not kept:
        return []
    best = kept[0][0][:2]
    return [one for at, (rank, one) in enumerate(kept) if at < most or rank[:2] == best]


def _f1(bag: Counter[str], count: int, words: list[str]) -> float:
    """`text.token_f1`, of which one side is counted once for all."""
    left, shared = dict(bag), 0
    for word in words:
        if left.get(word):
            left[word] -= 1
            shared += 1
    return 2 * shared / (count + len(words)) if shared else 0.0
