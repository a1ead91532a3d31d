"""A stronger model answers where the library does not; its answers are marked, and are no evidence."""

from __future__ import annotations

from pathlib import Path

from selfstudy.gather.stage import run_gather
from selfstudy.library.index import Library
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Evidence, Reference, Verdict
from selfstudy.run import Round
from selfstudy.teach.gaps import judged_questions

from .capitals import CAPITALS
from .test_stage import models, question, recipe, start

TEACHER = "without_evidence"


def sure(chat: Chat, number: int) -> str:
    if "Atlantis" in chat[-1].content:
        return "The capital of Atlantis is Suva."
    return "I don't know."


def unsure(chat: Chat, number: int) -> str:
    return f"It is {list(CAPITALS.values())[number]}."


def gathered(path: Path, library: Library | None, lm: ScriptedLM, **keys: object) -> Round:
    turn = start(path, recipe(**{"answers_from": "teacher", **keys}))
    run_gather(turn, models(), Prompts(), library, Silent(), lambda: lm)
    return turn


def test_it_answers_what_the_library_does_not(tmp_path: Path, library: Library) -> None:
    turn = gathered(tmp_path / "run", library, ScriptedLM({"Atlantis": sure, "": sure}))
    references = {one.question_id: one for one in turn.read(Reference)}
    told = references[question("Atlantis").id]
    assert (told.given_by, told.accepted, told.evidence_id) == ("teacher", True, "")
    assert "without evidence" in told.explanation
    assert told.text == "The capital of Atlantis is Suva."
    verdicts = {one.question_id: one for one in turn.read(Verdict)}
    assert verdicts[question("Atlantis").id].kind == "unknown"  # it said Poseidonis, unsurely
    # what the library answers stays with the library
    assert references[question("Mali").id].given_by == "evidence"
    assert all(one.question_id != question("Atlantis").id or one.text for one in turn.read(Evidence))
    gap = next(one for one in judged_questions(turn) if one.question.id == question("Atlantis").id)
    assert (gap.target, gap.document) == ("The capital of Atlantis is Suva.", "")


def test_what_it_is_not_sure_of_or_does_not_know_is_not_accepted(tmp_path: Path, library: Library) -> None:
    turn = gathered(tmp_path / "unsure", library, ScriptedLM({"": unsure}))
    told = next(one for one in turn.read(Reference) if one.question_id == question("Atlantis").id)
    assert (told.given_by, told.accepted) == ("teacher", False)
    turn = gathered(tmp_path / "knows nothing", None, ScriptedLM({"": "I don't know."}))
    assert {one.kind for one in turn.read(Verdict)} == {"unverifiable"}
    assert not any(one.accepted or one.error for one in turn.read(Reference))


def test_without_a_library_it_is_all_there_is(tmp_path: Path) -> None:
    turn = gathered(tmp_path / "run", None, ScriptedLM({"": "The capital of Mali is Bamako."}))
    assert {one.given_by for one in turn.read(Reference)} == {"teacher"}
    kinds = {one.question_id: one.kind for one in turn.read(Verdict)}
    assert kinds[question("Mali").id] == "known"
    assert turn.read(Evidence) == []
