"""Rows of CSV text, each with the line it begins in, in bounded memory; a broken row costs no other.

A quote that is never closed makes Python's csv module read all that follows as one field.  Here such a row
is a problem, and reading goes on in the next line.  Knows no columns.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

DELIMITERS = ",;\t|"
LONGEST = 10_000_000
"""Characters of the longest row: what has to be held at once."""
_READ_AGAIN = 8
"""How often the text of a file is read again, at most, behind quotes that are not closed."""


def delimiter_of(header: str) -> str:
    """What separates the columns of a header line; a comma where there is one column only."""
    return max(DELIMITERS, key=lambda mark: (len(fields(header, mark)), mark == ","))


def fields(line: str, delimiter: str) -> list[str]:
    """The fields of one line, without white space around them; none where it is no line of a table."""
    _allow_long_fields()
    try:
        return [name.strip() for name in next(csv.reader([line[:LONGEST]], delimiter=delimiter), [])]
    except csv.Error:
        return []


def rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """(number of its first line, fields) of each row that is not empty, header included; or what is wrong.

    Behind a quote that is not closed reading goes on in the next line, unless most of the file has been read
    again so several times: then what the quote took in is passed over.

    Args:
        lines: with their line ends; line 1 first.
    """
    _allow_long_fields()
    source = iter(lines)
    waiting: deque[str] = deque()
    number = read = again = 0

    def take() -> str | None:
        nonlocal read
        if waiting:
            return waiting.popleft()
        line = next(source, None)
        read += len(line or "")
        return line

    while (line := take()) is not None:
        number += 1
        taken, inside, size = [line], _ends_inside(line, delimiter, inside=False), len(line)
        while inside and size <= LONGEST and (more := take()) is not None:
            taken.append(more)
            size += len(more)
            inside = _ends_inside(more, delimiter, inside=True)
        found = _row(taken, delimiter)
        if size > LONGEST and len(taken) == 1:
            found = f"a row of more than {LONGEST:,} characters"
        again += size - len(line) if isinstance(found, str) else 0
        goes_on = again <= _READ_AGAIN * read
        if isinstance(found, str) and len(taken) > 1 and not goes_on:
            found = f"{found}, as in many rows before: the {len(taken) - 1:,} lines behind it are passed over"
        if found:
            yield number, found
        if isinstance(found, str) and goes_on:
            waiting.extendleft(reversed(taken[1:]))
        else:
            number += len(taken) - 1


def _row(lines: list[str], delimiter: str) -> list[str] | str:
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        unclosed = len(lines) > 1 or "end of data" in str(error)
        return "a quote is not closed" if unclosed else f"not CSV: {error}"


def _allow_long_fields() -> None:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))


def named(names: list[str], row: list[str]) -> dict[str, str] | str:
    """A row by its column names; what is wrong where it has more fields than there are columns."""
    if any(value.strip() for value in row[len(names) :]):
        return f"{len(row)} fields, but {len(names)} columns: a text that holds the separator needs quotes"
    return dict(zip(names, chain(row, [""] * len(names)), strict=False))


def _ends_inside(line: str, delimiter: str, *, inside: bool) -> bool:
    """Whether a quoted field is open at the end of a line; `inside`: one was at its begin."""
    at = 0
    if not inside and line.startswith('"'):
        inside, at = True, 1
    while True:
        if inside:
            at = line.find('"', at)
            if at < 0:
                return True
            if line.startswith('""', at):
                at += 2
                continue
            inside = False
        at = line.find(delimiter, at)
        if at < 0:
            return False
        at += 1
        if line.startswith('"', at):
            inside, at = True, at + 1
