"""The contract of whatever finds evidence: the index over documents, a search on the web, or several.

It knows nothing of where passages come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from selfstudy.library.index import Hit


class Retriever(Protocol):
    """Finds passages."""

    def find(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        """Up to `hits` passages per question, best first; each text == document.text[start:end]."""
