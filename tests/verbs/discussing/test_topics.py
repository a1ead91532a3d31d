"""Topics out of files of each kind, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import DataError, RecipeError
from selfstudy.verbs.discussing.topics import given_topics, named_column, read_topics


def texts(path: Path, column: str | None = None, most: int | None = None) -> list[str]:
    return [one.text for one in read_topics(path, column, most).usable]


def test_a_line_is_a_topic_and_repeats_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("Why is the sky blue?\n\n  What is rain? \nwhy is the sky BLUE?\n")
    found = read_topics(path)
    assert [(one.text, one.opens) for one in found.usable] == [
        ("Why is the sky blue?", "first"),
        ("What is rain?", "second"),
    ]
    assert (found.repeats, found.failed) == (1, ())
    assert texts(path, most=1) == ["Why is the sky blue?"]


def test_a_column_is_known_or_named(tmp_path: Path) -> None:
    rows = tmp_path / "t.jsonl"
    rows.write_text(
        "".join(json.dumps(row) + "\n" for row in ({"topic": "A?"}, {"Prompt": "B?"}, {"x": "C?"}))
    )
    found = read_topics(rows)
    assert [one.text for one in found.usable] == ["A?", "B?"]
    assert found.failed == ("line 3: field 'topic' or 'prompt' or 'question' is missing or empty",)
    assert texts(rows, "x") == ["C?"]
    table = tmp_path / "t.csv"
    table.write_text("question,note\nD?,1\nE?,2\n")
    assert texts(table) == ["D?", "E?"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("t.txt", b" \n\n", "holds no topic"),
        ("t.txt", b"", "holds no topic"),
        ("t.txt", b"\xff\xfe\x00", "not UTF-8"),
        ("t.jsonl", b'{"a": 1}\n[1]\n', "line 2: expected an object"),
        ("t.jsonl", b'{"topic": ["A?"]}\n', "must be text"),
        ("t.json", b"{", "not JSON"),
    ],
)
def test_a_file_without_topics_says_why(name: str, content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=why):
        read_topics(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_topics(tmp_path / "none.txt")


def test_topics_of_the_command() -> None:
    assert [one.opens for one in given_topics(["A?", " ", "B?", "a?"]).usable] == ["first", "second"]
    assert given_topics(["A?", " "]).failed == ("topic 2: it is empty",)
    with pytest.raises(DataError, match="no topic says anything"):
        given_topics([" "])


def test_a_topic_is_a_line_whatever_else_ends_one_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("What\x0bis\u2028it?\nWhy\x85 so?\n", "utf-8")
    assert len(read_topics(tmp_path / "a.txt").usable) == 2


def test_bytes_of_a_command_that_are_no_text_can_be_written_down() -> None:
    (found,) = given_topics(["\udcff abc?"]).usable
    assert found.text == "\ufffd abc?"


def test_a_named_column() -> None:
    assert named_column([]) is None
    assert named_column(["topic=question"]) == "question"
    for wrong in (["question"], ["topic="], ["prompt=x"], ["topic=a", "topic=b"]):
        with pytest.raises(RecipeError, match="no such name"):
            named_column(wrong)
