"""The contract of whatever finds evidence: the index over documents, a search on the web, or several.

It knows nothing of where passages come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from selfstudy.library.index import Hit


class Retriever(Protocol):
    """Finds passages."""

    def find(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        """Up to `hits` passages per question, best first; each text == document.text[start:end]."""


@runtime_checkable
class MayFail(Protocol):
    """A retriever that asks others, who may not answer: nothing found is then no proof of anything."""

    def unanswered(self, questions: Sequence[str]) -> list[str | None]:
        """Why each question could not be looked up when it was last tried; None where it could."""


def unanswered(retriever: Retriever, questions: Sequence[str]) -> list[str | None]:
    """Why each question could not be looked up by a retriever; None where it could."""
    return retriever.unanswered(questions) if isinstance(retriever, MayFail) else [None] * len(questions)
