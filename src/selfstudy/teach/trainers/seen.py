"""In which steps of a training each item was in the batch: by which an adapter is followed back.

Knows nothing of how rows come to be in a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from selfstudy.records import TrainedArm, TrainedItem


def _none() -> np.ndarray:
    return np.zeros(0, dtype=np.uint32)


@dataclass(frozen=True)
class Seen:
    """Row `rows[i]` was in the batch of step `steps[i]`, which counts from 1.

    Two numbers for each, and a record only when it is written: 100,000 rows in ten epochs take 8 MB.

    Attributes:
        items: of each row the id of its item, and that of its question; several rows may be of one item.
    """

    items: Sequence[tuple[str, str]] = ()
    rows: np.ndarray = field(default_factory=_none)
    steps: np.ndarray = field(default_factory=_none)

    @classmethod
    def of(cls, seen: Iterable[tuple[str, str, int]]) -> Seen:
        """From (item, question, step)."""
        places: dict[tuple[str, str], int] = {}
        found = [(places.setdefault((item, question), len(places)), step) for item, question, step in seen]
        numbers = np.array(found, dtype=np.uint32).reshape(-1, 2)
        return cls(list(places), numbers[:, 0], numbers[:, 1])

    def records(self, arm: TrainedArm, phase: str, adapter: str = "") -> Iterator[TrainedItem]:
        """One of each item that was in any batch, in the order of the rows.

        Args:
            adapter: see `TrainedItem`.
        """
        places: dict[str, int] = {}
        questions: list[str] = []
        for item, question in self.items:
            if places.setdefault(item, len(places)) == len(questions):
                questions.append(question)
        of_row = np.array([places[item] for item, _ in self.items], dtype=np.uint32)
        of_seen = of_row[self.rows]
        order = np.lexsort((self.steps, of_seen))
        ends = np.searchsorted(of_seen[order], np.arange(len(places)), side="right").tolist()
        start = 0
        for item, question, end in zip(places, questions, ends, strict=True):
            if start < end:
                steps = np.unique(self.steps[order[start:end]]).tolist()
                yield TrainedItem(
                    arm=arm,
                    phase=phase,
                    item_id=item,
                    question_id=question,
                    steps=tuple(steps),
                    adapter=adapter,
                )
            start = end
