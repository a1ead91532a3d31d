"""Evidence: for every question the passages of the library that may answer it.

A question that was asked about a document gets no hint of it: its document has to be found like any other.
What is too old, or of an excluded source, is passed over and counted (`NotEvidence`); what has no date counts
as new.  It knows nothing of answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from selfstudy.gather.dates import is_stale
from selfstudy.library.excluded import Excluded
from selfstudy.library.index import Hit
from selfstudy.library.retriever import Retriever
from selfstudy.records import Evidence, NotEvidence, Question

DEEPER = 4
"""So many times `hits` are searched where some may be passed over."""


@dataclass(frozen=True)
class EvidenceRules:
    """Which documents may be evidence.

    Attributes:
        as_of: the day that ages are counted from.
        max_age: in days; None: any.
        excluded: sources that never are.
    """

    as_of: date
    max_age: int | None = None
    excluded: Excluded = field(default_factory=lambda: Excluded(()))

    @property
    def strict(self) -> bool:
        """Whether anything may be passed over."""
        return self.max_age is not None or bool(self.excluded)

    def against(self, hit: Hit) -> NotEvidence | None:
        """Why a passage may not be evidence."""
        if hit.source in self.excluded:
            return NotEvidence(document_id=hit.document_id, source=hit.source, why="excluded")
        if self.max_age is not None and is_stale(hit.date, self.max_age, self.as_of):
            return NotEvidence(document_id=hit.document_id, source=hit.source, why="stale", date=hit.date)
        return None


def find_evidence(
    questions: Sequence[Question], library: Retriever, hits: int, rules: EvidenceRules
) -> tuple[list[list[Evidence]], list[NotEvidence]]:
    """Up to `hits` passages per question, best first, and what was passed over, each document once.

    text == document.text[start:end].
    """
    looked = hits * DEEPER if rules.strict else hits
    found = library.find([question.text for question in questions], looked)
    passed: dict[str, NotEvidence] = {}
    evidence: list[list[Evidence]] = []
    for question, passages in zip(questions, found, strict=True):
        kept: list[Evidence] = []
        for hit in passages:
            if len(kept) == hits:
                break
            if (problem := rules.against(hit)) is not None:
                passed.setdefault(problem.id, problem)
            else:
                kept.append(_evidence(question, hit, len(kept)))
        evidence.append(kept)
    return evidence, list(passed.values())


def _evidence(question: Question, hit: Hit, rank: int) -> Evidence:
    return Evidence(
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
