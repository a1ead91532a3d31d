"""The ids of many records in little memory: 8 bytes each, where a set of texts takes 120.

An id is 16 hex digits (`records.digest`); whatever else is one, of records that somebody else made, is kept
as it is.  Knows nothing of records or files.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

_HASH = re.compile("[0-9a-f]{16}")
_RECENT = 2**15
"""Fewest ids that are worth sorting in among the others."""


class RecordIds:
    """A set of ids, to which ids are only added.

    Most lie in a sorted array; new ones wait in a set until they are an eighth of these, so that each is
    moved a few times in all.
    """

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._sorted = array("Q")
        self._recent: set[int] = set()
        self._odd: set[str] = set()
        self.update(ids)

    def update(self, ids: Iterable[str]) -> None:
        """Adds ids, each of which may be there already."""
        for one in ids:
            if not _HASH.fullmatch(one):
                self._odd.add(one)
            elif not self._holds(number := int(one, 16)):
                self._recent.add(number)
                if len(self._recent) >= max(_RECENT, len(self._sorted) // 8):
                    self._sort_in()

    def __contains__(self, one: str) -> bool:
        return self._holds(int(one, 16)) if _HASH.fullmatch(one) else one in self._odd

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent) + len(self._odd)

    def __iter__(self) -> Iterator[str]:
        """In no order that means anything."""
        yield from (f"{number:016x}" for numbers in (self._sorted, self._recent) for number in numbers)
        yield from self._odd

    def _holds(self, number: int) -> bool:
        if number in self._recent:
            return True
        at = bisect_left(self._sorted, number)
        return at < len(self._sorted) and self._sorted[at] == number

    def _sort_in(self) -> None:
        import numpy as np

        both = np.concatenate(
            [
                np.frombuffer(self._sorted, np.uint64) if self._sorted else np.zeros(0, np.uint64),
                np.fromiter(self._recent, np.uint64, len(self._recent)),
            ]
        )
        both.sort()
        self._sorted = array("Q", both.tobytes())
        self._recent.clear()
