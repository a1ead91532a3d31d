"""A person's answer as evidence and reference."""

from selfstudy.gather.given import given_by_person
from selfstudy.records import Correction


def test_the_words_of_a_person_are_the_evidence_of_their_reference() -> None:
    said = Correction(number=1, question_id="q", reference="It is Suva.")
    evidence, reference = given_by_person(said)
    assert (evidence.source, evidence.text[evidence.start : evidence.end]) == ("person", "It is Suva.")
    assert (reference.evidence_id, reference.given_by, reference.accepted) == (evidence.id, "person", True)
    by_ana, _ = given_by_person(Correction(number=2, question_id="q", reference="It is Suva.", by="Ana"))
    assert by_ana.source == "person:Ana"
    assert by_ana.id != evidence.id
