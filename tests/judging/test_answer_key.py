"""The answer key: what a .jsonl may hold, and errors that name the line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.judging.answer_key import JsonlKey, load_answer_key
from selfstudy.records import Truth


def write(path: Path, *entries: object) -> Path:
    lines = [e if isinstance(e, str) else json.dumps(e) for e in entries]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_looks_up_answers_known_and_novel(tmp_path: Path) -> None:
    path = write(
        tmp_path / "key.jsonl",
        {"question": "What is the capital of Peru?", "answer": "Lima"},
        "",
        {
            "question": "Who wrote it?",
            "answer": ["Ann Lee", "A. Lee"],
            "known": True,
            "novel": ["Its author?"],
        },
    )
    key = load_answer_key(str(path))
    assert key is not None
    assert key.lookup("what is the  capital of peru? ") == Truth(("Lima",))
    assert key.lookup("Who wrote it?") == Truth(("Ann Lee", "A. Lee"), True, ("Its author?",))
    assert key.lookup("What is the capital of Chile?") is None


def test_reads_a_byte_order_mark_and_line_separators_inside_text(tmp_path: Path) -> None:
    path = tmp_path / "key.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"question": "A\xe2\x80\xa8b?", "answer": "c"}')
    assert len(JsonlKey(path)) == 1


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{not json", "line 2: not JSON"),
        ("[1]", "line 2: expected an object, found [1]"),
        ('{"question": ' + "9" * 5000 + "}", "line 2: not JSON that can be read"),
        ("[" * 100_000, "line 2: not JSON that can be read"),
        ({"answer": "x"}, "line 2: field 'question' is missing"),
        ({"question": "q?"}, "line 2: field 'answer' is missing"),
        ({"question": "q?", "answer": []}, "line 2: field 'answer' is missing"),
        ({"question": "q?", "answer": " "}, "line 2: field 'answer' must be text"),
        ({"question": "q?", "answer": 3}, "line 2: field 'answer' must be text or a list of texts, found 3"),
        ({"question": ["q?", "r?"], "answer": "x"}, "line 2: field 'question' must be one text"),
        ({"question": "q?", "answer": "x", "known": "yes"}, "line 2: field 'known' must be true or false"),
        ({"question": "q?", "answer": "x", "novell": []}, "line 2: unknown field 'novell'"),
        ({"question": "FINE?", "answer": "no"}, "line 2: question 'FINE?' was given another truth above"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, entry: object, says: str) -> None:
    path = write(tmp_path / "key.jsonl", {"question": "fine?", "answer": "yes"}, entry)
    with pytest.raises(DataError) as error:
        JsonlKey(path)
    assert says in error.value.what
    assert error.value.hint


def test_files_that_are_no_key(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_answer_key(str(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match="no entries"):
        JsonlKey(write(tmp_path / "empty.jsonl", ""))
    (tmp_path / "latin.jsonl").write_bytes(b'{"question": "\xe9?", "answer": "x"}')
    with pytest.raises(DataError, match="not UTF-8"):
        JsonlKey(tmp_path / "latin.jsonl")


def test_no_key_and_the_embedded_one() -> None:
    assert load_answer_key(None) is None
    atlas = load_answer_key("atlas")
    assert atlas is not None
    truth = atlas.lookup("What is the capital of France?")
    assert truth is not None
    assert truth.answers == ("Paris",)
    assert truth.novel
