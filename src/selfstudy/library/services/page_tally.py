"""How many pages were fetched and how many were not, and why.  Knows nothing of pages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_NAMED = 5
"""Reasons that are told; the rest is a number."""


@dataclass
class PageTally:
    """Counts of one source.

    Attributes:
        name: what a person calls the source.
        pages: those that became documents.
        reasons: why the others did not, in a word or two each.
    """

    name: str
    pages: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    _counted: set[str] = field(default_factory=set, init=False, repr=False)

    def count(self, page: str, why_not: str | None = None) -> None:
        """Adds a page, by its address, once however often it is found."""
        if page in self._counted:
            return
        self._counted.add(page)
        if why_not is None:
            self.pages += 1
        else:
            self.reasons[why_not] += 1

    def told(self) -> str:
        """The same, and counts anew."""
        line = self.line()
        self.pages = 0
        self.reasons.clear()
        self._counted.clear()
        return line

    def line(self) -> str:
        """All of it, the commonest reason first; "" where nothing was tried."""
        missing = self.reasons.total()
        if not self.pages and not missing:
            return ""
        said = f"{self.name}: {self.pages:,} page{'' if self.pages == 1 else 's'} read"
        if not missing:
            return said
        named = [f"{why} {count:,}" for why, count in self.reasons.most_common(_NAMED)]
        rest = missing - sum(count for _, count in self.reasons.most_common(_NAMED))
        named += [f"other reasons {rest:,}"] if rest else []
        return f"{said}, {missing:,} not: {', '.join(named)}"
