"""Cells of CSV: texts are no formulas, numbers stay numbers, and any reader takes the file."""

from __future__ import annotations

import csv
import io

import pytest

from selfstudy.files.cells import cell, csv_lines, unguarded


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "\ufeff=1"]
)
def test_a_text_that_begins_as_a_formula_is_a_text(start: str) -> None:
    assert cell(start) == f"'{start}"


def test_numbers_stay_numbers_and_other_texts_stay_as_they_are() -> None:
    assert [cell(one) for one in (-0.5, 3, True, None, "a=b", "it's")] == [-0.5, 3, "true", "", "a=b", "it's"]
    assert cell(["=1"]) == '["=1"]'


def test_a_name_of_a_column_is_no_formula_either() -> None:
    assert b"".join(csv_lines([{"=1+1": 2}], ["=1+1", "\ud800"])) == b"'=1+1,?\r\n2,\r\n"


def test_what_is_hostile_comes_back_out_of_a_reader() -> None:
    text = 'a,"b"\r\n<script>\u202e${1}{{2}} \0 \ud800'
    data = b"".join(csv_lines([{"one": text, "two": -1}], ["one", "two", "three"])).decode()
    names, row = csv.reader(io.StringIO(data, newline=""))
    assert names == ["one", "two", "three"]
    assert row == [text.replace("\0", "\ufffd").replace("\ud800", "?"), "-1", ""]


def test_a_text_comes_back_out_of_a_safe_cell() -> None:
    for text in ("=1+1", " @x", "plain", "'quoted'", "'", ""):
        assert unguarded(str(cell(text))) == text
