"""What a person says in the page is kept in the run, and shown as text."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.records import Question
from selfstudy.run import Run
from selfstudy.run.corrections import read
from selfstudy.ui import corrections
from selfstudy.ui.desk import Desk

QUESTION = Question(text="What is the capital of Peru?")


def run_of(folder: Path) -> dict[str, str]:
    """An address of a question of a run."""
    with Run.create_or_resume(folder / "one", Recipe()) as run:
        run.round(1).append([QUESTION])
    return {"run": "one", "id": QUESTION.id}


def said(folder: Path, query: dict[str, str], label: str = corrections.NOTHING, **texts: str) -> str:
    told = corrections.said(Desk(folder), query, label=label, **texts)  # type: ignore[arg-type]
    assert told.kept == ("Kept." in told.html)
    return told.html


def test_a_label_a_reference_and_a_note_are_kept_and_shown_as_text(tmp_path: Path) -> None:
    query = run_of(tmp_path)
    assert "Nobody has said anything" in corrections.so_far(Desk(tmp_path), query).html
    told = said(tmp_path, query, "Wrong", reference="<b>Lima</b>", note="${x}", by="Ada")
    assert "Ada: the first answer is wrong" in told
    assert "&lt;b&gt;Lima&lt;/b&gt;" in told
    assert "<b>" not in told
    assert "${" not in told
    with Run.open(tmp_path / "one", write=False) as run:
        (one,) = read(run)
    assert (one.question_id, one.label, one.reference, one.by) == (QUESTION.id, "wrong", "<b>Lima</b>", "Ada")


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    query = run_of(tmp_path)
    for told in (
        said(tmp_path, query),  # says nothing
        said(tmp_path, query, note="x" * 100_000),
        said(tmp_path, {"run": "../etc", "id": "x"}, "Right"),
        said(tmp_path, {"run": "one", "id": "no such question at all"}, "Right"),
    ):
        assert "Kept" not in told
        assert '<p role="status">' in told
    with Run.open(tmp_path / "one", write=False) as run:
        assert read(run) == []


def test_an_error_hides_nothing_that_was_said(tmp_path: Path) -> None:
    query = run_of(tmp_path)
    said(tmp_path, query, "Right", by="Ada")
    told = said(tmp_path, query, note="x" * 100_000)
    assert "more than 4,000" in told
    assert "Ada: the first answer is right" in told


def test_what_counts_may_be_withdrawn_with_a_note(tmp_path: Path) -> None:
    query, desk = run_of(tmp_path), Desk(tmp_path)
    assert "none to withdraw" in said(tmp_path, query, withdraws="reference")
    said(tmp_path, query, "Wrong", reference="Lima")
    before = corrections.so_far(desk, query)
    assert (before.label, before.reference) == (True, True)
    told = corrections.said(desk, query, reference="typed", note="<i>of Ohio", withdraws="reference")
    assert (told.kept, told.label, told.reference) == (True, True, False)
    assert "the reference given before is withdrawn. Note: &lt;i&gt;of Ohio" in told.html
    assert "typed" not in told.html
