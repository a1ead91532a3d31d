"""Evidence: for every question the passages of the library that may answer it.

A question that was asked about a document gets no hint of it: its document has to be found like any other.
It knows nothing of answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.library.retriever import Retriever
from selfstudy.records import Evidence, Question


def find_evidence(questions: Sequence[Question], library: Retriever, hits: int) -> list[list[Evidence]]:
    """Up to `hits` passages per question, best first; text == document.text[start:end]."""
    found = library.find([question.text for question in questions], hits)
    return [
        [
            Evidence(
                question_id=question.id,
                document_id=hit.document_id,
                source=hit.source,
                title=hit.title,
                text=hit.text,
                start=hit.start,
                end=hit.end,
                rank=rank,
                relevance=hit.relevance,
                date=hit.date,
                fetched=hit.fetched,
                sha256=hit.sha256,
            )
            for rank, hit in enumerate(passages)
        ]
        for question, passages in zip(questions, found, strict=True)
    ]
