"""Is anything coming of it?  Failures are kept in mind until the first item succeeds.

One failed item is a record.  When all of the first items fail for the same reason (a wrong URL, a model that
is not there, a login page), every further one would be asked, waited and paid for in vain.  Knows nothing of
what the items are; models look at requests with it, stages at their records (run/first_records.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

ENOUGH = 8
"""Items that fail alike, none having succeeded, before nothing more is tried."""
_VARYING = re.compile(r"""'[^']*'|"[^"]*"|\d+""")
_COMPARED = 60
"""Characters by which two messages are the same, without what is quoted in them and numbers."""


class FirstItems:
    """What became of the first items.

    Attributes:
        works: an item has succeeded; nothing is counted any more.
    """

    def __init__(self, works: bool = False) -> None:
        self.works = works
        self._failures: list[str] = []

    def saw(self, errors: Iterable[str | None]) -> None:
        """Adds items, each with its error, or None for one that succeeded."""
        if self.works:
            return
        for error in errors:
            if error is None:
                self.works = True
                self._failures.clear()
                return
            self._failures.append(error)

    @property
    def hopeless(self) -> bool:
        """Whether enough items have failed, all of them alike."""
        return len(self._failures) >= ENOUGH and len({_kind(one) for one in self._failures}) == 1

    @property
    def failed(self) -> int:
        """Items that have failed while none had succeeded."""
        return len(self._failures)

    @property
    def commonest(self) -> str:
        """The failure that was seen most, in the words of its first item; "" without failures."""
        if not self._failures:
            return ""
        kind, _ = Counter(map(_kind, self._failures)).most_common(1)[0]
        return next(one for one in self._failures if _kind(one) == kind)


def _kind(error: str) -> str:
    return _VARYING.sub("", error)[:_COMPARED]
