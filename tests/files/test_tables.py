"""CSV rows with their lines: quotes, line ends in fields, and rows that are broken."""

from __future__ import annotations

import csv
import io
import random
import time

import pytest

from selfstudy.files.tables import delimiter_of, named, rows


def read(text: str, delimiter: str = ",") -> list[tuple[int, list[str] | str]]:
    return list(rows(io.StringIO(text, newline=""), delimiter))


def test_good_rows_are_those_of_the_csv_module() -> None:
    rng = random.Random(1)
    table = [
        ["".join(rng.choices('ab,"\n; ', k=rng.randint(0, 9))) or "x" for _ in "123"] for _ in range(500)
    ]
    written = io.StringIO(newline="")
    csv.writer(written).writerows(table)
    found = read(written.getvalue())
    assert [row for _, row in found] == table
    lines = [sum(field.count("\n") for field in row) + 1 for row in table]
    assert [number for number, _ in found] == [1 + sum(lines[:i]) for i in range(500)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('a,"open\nb,"c"\nd,e\n', [(1, "a quote is not closed"), (2, ["b", "c"]), (3, ["d", "e"])]),
        ('a,"open\nb,c\nd,e', [(1, "a quote is not closed"), (2, ["b", "c"]), (3, ["d", "e"])]),
        ('a,"open\n"b",c\n', [(1, "a quote is not closed"), (2, ["b", "c"])]),
        (
            'a,b\n\nc,5" pipe\nd,"two\nlines"\n',
            [(1, ["a", "b"]), (3, ["c", '5" pipe']), (4, ["d", "two\nlines"])],
        ),
        ('"a"x,b\nc,d\n', [(1, "not CSV: ',' expected after '\"'"), (2, ["c", "d"])]),
        ("", []),
    ],
)
def test_a_broken_row_costs_no_other(text: str, found: list[tuple[int, list[str] | str]]) -> None:
    assert read(text) == found


def test_an_open_quote_at_the_top_of_a_long_table_takes_no_time() -> None:
    start = time.process_time()
    found = read('a,"open\n' + "b,c\n" * 200_000)
    assert len(found) == 200_001
    assert found[-1] == (200_001, ["b", "c"])
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("header", "delimiter"), [("a,b;c", ","), ("a;b;c", ";"), ("a\tb", "\t"), ("a|b", "|"), ("question", ",")]
)
def test_the_header_tells_what_separates(header: str, delimiter: str) -> None:
    assert delimiter_of(header) == delimiter


def test_a_row_of_too_many_fields_is_no_row() -> None:
    assert named(["a", "b"], ["1"]) == {"a": "1", "b": ""}
    assert named(["a", "b"], ["1", "2", ""]) == {"a": "1", "b": "2"}
    assert "3 fields, but 2 columns" in str(named(["a", "b"], ["1", "2", "3"]))


@pytest.mark.parametrize("line", ['x","\n', 'x"y,"\n', '"a\n', '"\n', ',"\n', '""",\n'])
def test_quotes_that_never_close_take_time_by_the_length_of_the_table(line: str) -> None:
    start = time.process_time()
    found = read("a,b\n" + line * 100_000)
    assert time.process_time() - start < 5
    assert found[0] == (1, ["a", "b"])


def test_lines_that_are_passed_over_are_said() -> None:
    found = read("a,b\n" + 'x","\n' * 100 + 'x"y\n')
    assert isinstance(found[-1][1], str)
    assert "lines behind it are passed over" in found[-1][1]


def test_a_long_field_of_a_header_is_no_error() -> None:
    assert delimiter_of("x" * 200_000 + ",b") == ","
