"""What rests on a source is found in all rounds, however it does, and what rests on another is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.records import Document, Evidence, Question, Reference, Verdict
from selfstudy.run import Run
from selfstudy.verbs.unlearning.resting import Sources, resting

from .small_run import ASKED, CHILE, DOCUMENTS, IDS, OF_PERU, PERU, SECRET, SHARED, conflict, made


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.open(made(tmp_path / "run")) as run:
        yield run


@pytest.mark.parametrize("pattern", [PERU, "south/p*", "*peru*"])
def test_questions_documents_and_sentences(run: Run, pattern: str) -> None:
    found = resting(run, Sources(pattern))
    assert found.sources == (PERU,)
    assert found.kept_sources == 1
    assert found.questions == OF_PERU
    assert found.documents == {DOCUMENTS[PERU].id}
    assert found.said.quotes(SECRET)
    assert not found.said.quotes(SHARED)
    assert found.also_said == 1
    assert {one.id for one in found.asked} == OF_PERU
    assert {one.taught for one in found.asked} == {True, False}
    assert {one.id for one in found.others} == set(IDS.values()) - OF_PERU


def test_a_source_to_the_letter_whatever_its_characters(run: Run) -> None:
    odd = "a [1] *?%20é\u202e.md"
    run.round(1).append(
        [Document(source=odd, text="Some sentence that is long enough."), *run.round(1).read(Document)]
    )
    assert resting(run, Sources(odd)).sources == (odd,)


def test_a_conflict_that_cites_it(run: Run) -> None:
    run.round(2).append([conflict("How dry are the deserts of Chile?", CHILE, PERU)])
    found = resting(run, Sources(PERU))
    assert found.questions == OF_PERU | {IDS["How dry are the deserts of Chile?"]}


def test_the_same_fact_asked_otherwise_in_a_later_round(run: Run) -> None:
    """It has no evidence of its own, or some of another source."""
    again = [Question(text="what is the capital of Peru"), Question(text="What is  the capital of Peru !")]
    other = Evidence(
        question_id=again[1].id,
        document_id="d",
        source="elsewhere.md",
        text="Lima.",
        start=0,
        end=5,
        rank=0,
        relevance=1,
    )
    answer = Reference(
        question_id=again[1].id, evidence_id=other.id, text="Lima.", inconsistency=0, accepted=True
    )
    verdict = Verdict(question_id=again[1].id, kind="known", score=0, reference_id=answer.id)
    run.round(2).append([*again, other, answer, verdict])
    assert resting(run, Sources(PERU)).questions == OF_PERU | {again[0].id}


def test_documents_of_the_library_that_no_record_has(run: Run) -> None:
    page = Document(source="west/new.md", text="Nobody has asked about this one yet.")
    found = resting(run, Sources("west"), here=[page, *DOCUMENTS.values()])
    assert (found.sources, found.documents, found.questions) == ((page.source,), {page.id}, set())
    assert found.said.quotes(page.text)


def test_an_attempt_that_was_interrupted_says_which_questions(run: Run) -> None:
    assert resting(run, Sources("gone", ["gone/a.md"]), ["q1"]).questions == {"q1"}


def test_nothing_fits(run: Run) -> None:
    found = resting(run, Sources("north"))
    assert (found.sources, found.questions, len(found.said)) == ((), set(), 0)
    assert len(found.others) == len(ASKED)
