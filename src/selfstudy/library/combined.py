"""Several retrievers as one: their rankings are fused by rank.  It knows nothing of where they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.library.index import POOL, Hit, fuse, words_named
from selfstudy.library.retriever import Retriever, unanswered


@dataclass(frozen=True)
class Combined:
    """A `Retriever` over others.

    Of what is equally good, the first of each at least, that comes first whose title the question names, the
    longer the better; else that of the earlier retriever.
    """

    retrievers: Sequence[Retriever]

    def find(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        """Up to `hits` passages per question, best first, by reciprocal rank fusion (`index.fuse`).

        A relevance of one retriever cannot be compared with that of another, a rank can.
        """
        pool = max(POOL, 4 * hits)
        rankings = [one.find(questions, pool) for one in self.retrievers]
        return [
            sorted(fuse(ranked), key=lambda hit: (-hit.relevance, -words_named(question, hit.title)))[:hits]
            for question, *ranked in zip(questions, *rankings, strict=True)
        ]

    def unanswered(self, questions: Sequence[str]) -> list[str | None]:
        """Why each question could not be looked up, by the first that says so; None: one could."""
        said = [unanswered(one, questions) for one in self.retrievers]
        return [why[0] if all(why) else None for why in zip(*said, strict=True)]
