"""A passage in its document: from a fetched page, from the run's index, or alone, and said so."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.library.index import Library
from selfstudy.recipe import Recipe
from selfstudy.records import Document, Evidence
from selfstudy.run import Run
from selfstudy.verbs import surroundings as module
from selfstudy.verbs.surroundings import surroundings

SENTENCES = [f"Sentence number {n} says that the tower of town {n} is {n} metres high." for n in range(40)]
PAGE = Document(source="https://example.org/a", text=" ".join(SENTENCES), fetched="2026-01-01")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create_or_resume(tmp_path / "run", Recipe())


def passage(document: Document, said: str, text: str = "") -> Evidence:
    start = document.text.index(said)
    return Evidence(
        question_id="q",
        document_id=document.id,
        source=document.source,
        text=text or said,
        start=start,
        end=start + len(said),
        rank=0,
        relevance=1.0,
    )


def test_a_fetched_page_is_cut_and_says_that_it_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.library_round.append([PAGE])
    whole = surroundings(run, passage(PAGE, SENTENCES[20]))
    assert whole.before + SENTENCES[20] + whole.after == PAGE.text
    assert (whole.missing, whole.more_before, whole.more_after) == ("", False, False)
    monkeypatch.setattr(module, "MOST", 30)
    some = surroundings(run, passage(PAGE, SENTENCES[20]))
    assert (len(some.before), len(some.after), some.more_before, some.more_after) == (30, 30, True, True)


def test_of_a_local_document_the_index_of_the_run_has_the_rest(run: Run) -> None:
    local = PAGE.model_copy(update={"source": "a.txt", "id": "abcd"})
    Library.build([local], run.library_folder, chunk_tokens=60)
    hit = Library.open(run.library_folder).passages_of("abcd")[1]
    found = surroundings(run, passage(local, hit.text))
    assert found.before.startswith(SENTENCES[0])
    assert found.after.endswith(SENTENCES[-1])
    assert Library.open(run.library_folder).passages_of("x' OR 1=1 --") == []


def test_what_is_not_what_was_read_is_not_given(run: Run) -> None:
    assert "keeps no text" in surroundings(run, passage(PAGE, SENTENCES[3])).missing
    run.library_round.append([PAGE])
    other = passage(PAGE, SENTENCES[3], text="Somebody wrote something else.")
    assert surroundings(run, other) == module.Surroundings(
        missing="the run keeps no text of this document: the passage is all there is"
    )
    run.library_folder.mkdir()
    (run.library_folder / "library.json").write_text("{")
    assert surroundings(run, other).missing.startswith(("the run's documents", "this document"))
