"""Cited answers: what was judged is said, and what nobody judged is never called supported."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.recipe import Recipe
from selfstudy.records import CitedCheck, ShownDocument
from selfstudy.run import Run
from selfstudy.ui.cited_answers import files_of, of_file, of_run
from selfstudy.ui.desk import Desk

OUTPUT = "Suva is the capital [1]. It is large [2][9]."
ANSWER = {
    "selfstudy": {"verb": "cite answer", "model": "m"},
    "question": "Capital?",
    "docs": [{"title": "Fiji", "source": "a.txt", "text": "Suva."}, {"text": "Lima."}],
    "output": OUTPUT,
}
JUDGED = {
    "selfstudy": "cite",
    "place": "line 1",
    "question": "Capital?",
    "answer": OUTPUT,
    "statements": [
        {"text": "Suva is the capital.", "cites": [1], "supported": True, "why": "entailed"},
        {"text": "It is large.", "cites": [2, 9], "supported": "yes"},
    ],
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "answers.jsonl").write_text(json.dumps(ANSWER) + "\n")
    (tmp_path / "others.jsonl").write_text('{"question": "whose?"}\n')
    with suppress(OSError):  # a file system of names that are text
        (tmp_path / "\udcff.jsonl").write_text(json.dumps(ANSWER) + "\n")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "answers.jsonl")
    return Desk(tmp_path)


def test_only_files_of_ours_are_offered_and_no_link(desk: Desk) -> None:
    assert files_of(desk) == ["answers.jsonl"]
    with pytest.raises(DataError, match="no file of selfstudy cite"):
        of_file(desk.folder / "others.jsonl", [], 5)


def test_what_was_not_judged_is_not_supported_until_a_judgement_is_there(desk: Desk) -> None:
    answers, judged = desk.folder / "answers.jsonl", desk.folder / "judged.jsonl"
    (one,) = of_file(answers, [], 5)
    assert [(s.cites, s.supported) for s in one.sentences] == [((1,), None), ((2, 9), None)]
    assert one.documents == (("Fiji, a.txt", "Suva."), ("", "Lima."))
    judged.write_text(json.dumps(JUDGED) + "\n")
    (one,) = of_file(answers, [answers, judged], 5)
    assert [s.supported for s in one.sentences] == [True, None]
    (other,) = of_file(judged, [answers, judged], 5)
    assert other.documents == one.documents
    (alone,) = of_file(judged, [], 5)
    assert not alone.documents
    assert "no documents" in alone.told[-1]


def test_judgements_of_other_words_are_not_taken_for_this_answer(desk: Desk) -> None:
    judged = desk.folder / "judged.jsonl"
    judged.write_text(json.dumps(JUDGED | {"answer": "Lima is the capital [1]."}) + "\n")
    (one,) = of_file(desk.folder / "answers.jsonl", [judged], 5)
    assert [s.supported for s in one.sentences] == [None, None]


@pytest.mark.parametrize(
    "row",
    [
        ANSWER | {"docs": 3, "output": None, "error": "gone"},
        ANSWER
        | {
            "docs": [1, None, {"title": ["x"]}],
            "output": ["a"],
            "statements": [1, {"cites": 4}, {"cites": ["x"]}],
        },
        {"selfstudy": "cite", "question": None, "statements": {"a": 1}},
    ],
)
def test_rows_of_any_shape_are_shown(desk: Desk, row: dict[str, object]) -> None:
    path = desk.folder / "odd.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (one,) = of_file(path, [], 5)
    assert all(sentence.supported is None for sentence in one.sentences)


def test_what_verify_asked_with_documents(desk: Desk) -> None:
    check = CitedCheck(
        question_id="q",
        arm="taught",
        withheld=False,
        question="Capital?",
        docs=(ShownDocument(text="Suva.", answers_found=(1,)),),
        claims=("Suva",),
        output=OUTPUT,
        refused=False,
        parts={"citation_recall": 0.5},
    )
    with Run.create_or_resume(desk.folder / "run", Recipe()) as run:
        run.round(1).append([check])
        (one,) = of_run(run, [], 5)
        assert [s.supported for s in one.sentences] == [None, None]
        assert "citation recall: 50%." in one.told
        (desk.folder / "judged.jsonl").write_text(json.dumps(JUDGED) + "\n")
        (one,) = of_run(run, [desk.folder / "judged.jsonl"], 5)
    assert one.sentences[0].supported is True
