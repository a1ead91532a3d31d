"""What a person says the answer is: evidence of its own, which wins over every page.

It knows nothing of where corrections are kept, nor of the library.
"""

from __future__ import annotations

from selfstudy.records import Correction, Evidence, Reference, digest


def given_by_person(said: Correction) -> tuple[Evidence, Reference]:
    """A person's reference as evidence (their words, whole), and as a reference that is accepted."""
    evidence = Evidence(
        question_id=said.question_id,
        document_id=digest(said.source, said.reference),
        source=said.source,
        text=said.reference,
        start=0,
        end=len(said.reference),
        rank=0,
        relevance=1.0,
    )
    reference = Reference(
        question_id=said.question_id,
        evidence_id=evidence.id,
        text=said.reference,
        inconsistency=None,
        accepted=True,
        explanation="a person says so",
        given_by="person",
    )
    return evidence, reference
