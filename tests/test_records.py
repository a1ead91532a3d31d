"""Records: frozen, strict, and known by a hash of what makes them what they are."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from selfstudy.records import Check, Correction, Question, Record, Score, digest


def test_the_same_question_has_the_same_id_whatever_else_is_known_of_it() -> None:
    plain, told = (
        Question(text="Who rules Fiji?"),
        Question(text="Who rules Fiji?", topic="Fiji", method="open"),
    )
    assert plain.id == told.id
    assert plain.id != Question(text="Who rules Peru?").id
    assert Question.model_validate_json(told.model_dump_json()) == told


def test_records_are_frozen_and_strict() -> None:
    question = Question(text="Who rules Fiji?")
    with pytest.raises(ValidationError):
        question.text = "Who rules Peru?"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Question(text="?", colour="red")  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Score(question_id="q", scorer="agreement", value=1.5)


def test_what_a_newer_version_can_say_leaves_the_ids_of_older_records_as_they_are() -> None:
    said = {"question_id": "q", "arm": "base", "target": "general", "wording": "original", "asked": "Why?"}
    check = Check.model_validate(said | {"answer": "", "expected": "", "correct": True})
    assert check.id == digest("Check", *said.values())
    turned = Check.model_validate(check.model_dump(exclude={"id"}) | {"order": 1})
    assert turned.id != check.id
    assert "order" not in check.model_dump()


def test_parts_of_a_digest_do_not_run_into_each_other() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("\ud800") != digest("")


def test_every_record_has_a_file_of_its_own() -> None:
    kinds = [kind for kind in Record.__subclasses__() if kind.__module__ == "selfstudy.records"]
    kinds.remove(Correction)  # of a run, not of a round: run/corrections.py keeps it
    assert len({kind.file for kind in kinds}) == len(kinds)
    assert all(kind.file.endswith(".jsonl") for kind in kinds)
