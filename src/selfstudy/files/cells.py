"""Rows as CSV that a spreadsheet shows and does not run.

A text that begins as a formula does gets a leading apostrophe (OWASP, "CSV Injection").  A number is written
as it is, so -0.5 stays one: only texts can be formulas.  What is no single value is written as JSON.  NUL,
which readers of CSV stop at, becomes U+FFFD.  Knows nothing of records.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What a formula begins with; also in full width, which some spreadsheets take for the same."""


def csv_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[bytes]:
    """A line of names, and a line for each row; what a row lacks is an empty cell."""
    yield _line([cell(name) for name in columns])  # they too may be of other people's files
    for row in rows:
        yield _line([cell(row.get(name)) for name in columns])


def cell(value: object) -> str | int | float:
    """A value as it goes into a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else to_json(value, fallback=str).decode()
    text = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return f"'{text}" if text.lstrip(" \u00a0\ufeff").startswith(FORMULA) else text


def unguarded(text: str) -> str:
    """A text out of a cell, without the apostrophe that `cell` put before it."""
    after = text.removeprefix("'")
    return after if after.lstrip(" \u00a0\ufeff").startswith(FORMULA) else text


def _line(cells: Sequence[object]) -> bytes:
    held = io.StringIO()
    csv.writer(held, lineterminator="\r\n").writerow(cells)
    return held.getvalue().encode("utf-8")
