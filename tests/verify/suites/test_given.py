"""Where a suite's rows come from, and what is wrong with them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.files.rows import MalformedError
from selfstudy.verify.suites import given

from .asked import jsonl


def read(data: str | None, own: str = "qa.jsonl") -> list[str]:
    return given.read("qa", data, own, lambda row: [given.field(row, "question")], "give rows")


def test_without_data_those_of_the_package_are_asked() -> None:
    assert len(read(None)) >= 30
    assert len(given.read("truthfulqa", None, "truthfulqa.jsonl", lambda row: [row["question"]], "")) >= 30


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "holds nothing to ask"),
        ("\n\n", "holds nothing to ask"),
        ('{"question": "a?"}\n{"question": "a', "line 2: not JSON"),
        ('{"question": "a?"}\n{"question": 3}\n', "line 2: field 'question' must be text"),
        ('{"question": "a?"}\n[1]\n', "line 2: expected an object"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=problem) as caught:
        read(str(path))
    assert caught.value.hint == "give rows"


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read(str(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match="cannot be read"):
        read("none.jsonl")
    with pytest.raises(DataError, match=r"data/none\.jsonl cannot be read"):  # and is not asked of the Hub
        read("data/none.jsonl")
    with pytest.raises(DataError, match="folder"):
        read(str(tmp_path))


def test_ten_thousand_rows_are_read_in_seconds(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "many.jsonl", [{"question": f"What is {i} and 北京?"} for i in range(10_000)])
    start = time.monotonic()
    assert len(read(path)) == 10_000
    assert time.monotonic() - start < 10


def test_too_many_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "MOST", 5)
    path = jsonl(tmp_path / "many.jsonl", [{"question": f"{i}?"} for i in range(6)])
    with pytest.raises(DataError, match="line 6: more than 5 items"):
        read(path)


def test_a_sample_is_the_same_each_time_and_in_order() -> None:
    items = list(range(1000))
    drawn = given.sampled(items, 50, 1, "qa")
    assert drawn == sorted(drawn) == given.sampled(items, 50, 1, "qa")
    assert len(set(drawn)) == 50
    assert drawn != given.sampled(items, 50, 2, "qa")
    assert given.sampled(items, None, 1, "qa") == items == given.sampled(items, 1000, 1, "qa")


def test_blocks_of_which_all_is_done_are_left_out() -> None:
    blocks = list(given.open_blocks(list("abcdefg"), 3, str, frozenset("abcde")))
    assert blocks == [["d", "e", "f"], ["g"]]


def test_texts_of_a_field() -> None:
    def texts(value: Any, separator: str = "") -> tuple[str, ...]:
        return given.texts({"a": value}, "a", separator)

    assert texts(["x", "y ", "x", ""]) == ("x", "y")
    assert texts("x; y") == ("x; y",)
    assert texts("x; y;", ";") == ("x", "y")
    assert texts('["x", "y"]') == ("x", "y")
    assert texts(None) == texts("") == texts([]) == ()
    for wrong in (3, {"x": 1}, ["x", 3], ["x"] * 1001):
        with pytest.raises(MalformedError):
            texts(wrong)


def test_what_a_person_is_told() -> None:
    assert given.told(None, 5, 5, 0) == ["5 items of our own: they show that it works, no more"]
    assert given.told("x.csv", 5, 1000, 2) == [
        "5 items, drawn from 1,000 of x.csv",
        "2 items that are in the data more than once are asked once",
    ]
