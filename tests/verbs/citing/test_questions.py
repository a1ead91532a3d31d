"""Questions that are to be answered: of text, of rows, with documents of their own, and what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.verbs.citing.questions import given_question, read_questions

DOCS = [{"title": "Rome", "text": "Rome is old."}]


def written(folder: Path, rows: list[object]) -> Path:
    path = folder / "q.jsonl"
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows))
    return path


def test_a_line_of_text_is_a_question(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text("Who?\n\n  What?  \nWho?\n")
    found = read_questions(path, finding=True)
    assert [(one.place, one.item and one.item.question) for one in found] == [
        ("line 1", "Who?"),
        ("line 3", "What?"),
        ("line 4", "Who?"),
    ]
    assert len({one.id for one in found}) == 3
    assert all(one.documents == [] for one in found)


def test_rows_bring_their_documents_unless_others_are_found(tmp_path: Path) -> None:
    path = written(tmp_path, [{"question": "Who?", "docs": DOCS, "answers": [["Ann"]], "id": 7}])
    (own,) = read_questions(path, finding=False)
    assert own.documents == DOCS
    assert own.item is not None
    assert own.item.documents == ("Title: Rome\nRome is old.",)
    assert own.item.kind == "qampari"
    assert own.row["id"] == 7
    (other,) = read_questions(path, finding=True)
    assert other.documents == []
    assert other.row["docs"] == DOCS


def test_a_bad_row_costs_no_other(tmp_path: Path) -> None:
    rows: list[object] = [
        {"question": "Who?", "docs": DOCS},
        "{torn",
        {"question": " ", "docs": DOCS},
        {"question": "Who?"},
        {"question": "Who?", "docs": [{"text": ""}]},
        {"question": "Who?", "docs": DOCS, "claims": []},
    ]
    found = read_questions(written(tmp_path, rows), finding=False)
    assert [one.error for one in found] == [
        "",
        "not JSON (Expecting property name enclosed in double quotes at column 2)",
        "field 'question' is empty",
        "field 'docs' is missing, and there is no library (--library)",
        "field 'docs[0].text' is empty",
        "field 'claims' is an empty list",
    ]


def test_lists_are_wanted_where_the_row_does_not_say(tmp_path: Path) -> None:
    rows: list[object] = [{"question": "Who?"}, {"question": "Who?", "claims": ["Ann."]}]
    plain, claims = read_questions(written(tmp_path, rows), listed=True, finding=True)
    assert plain.item is not None
    assert plain.item.kind == "qampari"
    assert claims.item is not None
    assert claims.item.kind == "eli5"
    assert given_question("Who?", listed=True).item == plain.item


def test_nothing_to_ask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="no question that can be asked\n    line 1: field 'question' is missing"
    ):
        read_questions(written(tmp_path, [{"text": "Who?"}]), finding=True)
    with pytest.raises(DataError, match="no question that can be asked"):
        read_questions(written(tmp_path, []), finding=True)
    with pytest.raises(DataError, match="question is empty"):
        given_question(" ")
    with pytest.raises(DataError, match="10,001 characters"):
        given_question("x" * 10_001)
