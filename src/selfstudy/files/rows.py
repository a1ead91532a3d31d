"""The rows of a data file (JSON, JSON lines, Parquet, CSV), each with its place there. Knows no fields."""

from __future__ import annotations

import codecs
import json
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfstudy.errors import DataError
from selfstudy.files import reading, tables

_LINES = (".jsonl", ".ndjson")
_TABLES = (".csv", ".tsv")
_BATCH = 1024
_BATCH_BYTES = 1 << 29
"""Rows of Parquet that are read at once, and bytes that they may become."""
SUFFIXES = (*_LINES, ".json", ".parquet", *_TABLES)


class MalformedError(ValueError):
    """One row, or one part of a file, cannot be used; says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `place` is "line 3", "item 3" or "row 3"; `value` is the object, or None with a `problem`."""

    place: str
    value: dict[str, Any] | None
    problem: str = ""


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file; JSON lines, Parquet and CSV are streamed, one JSON value is read whole.

    A .json file may hold a list of objects, an object with one such list ({"data": [...]}), or lines.

    Raises:
        DataError: the file cannot be read, or holds no rows.
    """
    try:
        place = reading.readable(path)
        with place.open("rb") as file:
            start = file.read(4)
        if start == b"PAR1":
            yield from _parquet(path, place)
        elif path.suffix.lower() in _TABLES:
            yield from _table(path, place)
        elif path.suffix.lower() in _LINES or _starts_with_a_whole_line(place):
            yield from _lines(place)
        else:
            yield from _whole(path, place)
    except reading.TooLargeError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", _LARGE) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", "check the path") from None


def read_text_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The filled lines of a text file, each with its place, "line 3", without white space around it.

    Raises:
        DataError: the file cannot be read, or is not UTF-8.
    """
    try:
        text = reading.text(path)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 ({error.reason} at byte {error.start})", "save it as UTF-8"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", "check the path") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"line {number}", line.strip()


def parse_line(line: bytes) -> dict[str, Any]:
    """The JSON object in one line.

    Raises:
        MalformedError: it is not UTF-8, not JSON, or no object.
    """
    if len(line) > reading.LONGEST_LINE:
        raise MalformedError(f"a line of more than {reading.LONGEST_LINE:,} bytes")
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MalformedError(f"not UTF-8 ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise MalformedError(f"not JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON that can be read ({error})") from None
    if not isinstance(value, dict):
        raise MalformedError(f"expected an object, found {shown(value)}")
    return value


def text_of(value: object, field: str) -> str:
    """`value` as text that a file can hold: a lone surrogate, which has no UTF-8, becomes U+FFFD.

    Raises:
        MalformedError: it is no text.
    """
    if not isinstance(value, str):
        raise MalformedError(f"field {field!r} must be text, found {shown(value)}")
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def list_in_text(value: object) -> object:
    """The list that a table holds as text; anything else as it is."""
    if not isinstance(value, str) or not value.startswith("["):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, list) else value


def shown(value: object) -> str:
    """A value as an error message shows it: short and printable."""
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of thousands of digits
        return f"a value of type {type(value).__name__}"


def _lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(reading.lines(file), start=1):
            if line.strip():
                yield _row(f"line {number}", line)


def _table(path: Path, place: Path) -> Iterator[Row]:
    with place.open("rb") as file:
        wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    try:
        with place.open(encoding="utf-16" if wide else "utf-8-sig", newline="") as file:
            header = file.readline(tables.LONGEST)
            file.seek(0)
            delimiter = tables.delimiter_of(header)
            found = tables.rows(reading.lines(file), delimiter)
            names = next(found, (1, "it is empty"))[1]
            if isinstance(names, str):
                raise DataError(f"{path} has no header: {names}", "name the columns in the first line")
            names = [name.strip() for name in names]
            for number, row in found:
                value = row if isinstance(row, str) else tables.named(names, row)
                if isinstance(value, str):
                    yield Row(f"line {number}", None, value)
                else:
                    yield Row(f"line {number}", dict(value))
    except UnicodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error})", "save it as UTF-8") from None


def _row(place: str, line: bytes) -> Row:
    try:
        return Row(place, parse_line(line))
    except MalformedError as error:
        return Row(place, None, str(error))


def _starts_with_a_whole_line(path: Path) -> bool:
    with path.open("rb") as file:
        first = next((line for line in reading.lines(file) if line.strip()), b"")
    return _row("", first).value is not None and path.stat().st_size > len(first.rstrip()) + 3


def _whole(path: Path, place: Path) -> Iterator[Row]:
    try:
        content = reading.content(place)
        reading.check_values(content)
        text = content.decode("utf-8-sig")
        del content
        data = json.loads(text)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 ({error.reason} at byte {error.start})", "save it as UTF-8"
        ) from None
    except reading.TooLargeError:
        raise
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: not JSON ({error.msg})", _CONTENT) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON that can be read ({error})", _CONTENT) from None
    if isinstance(data, dict):
        data = next((data[key] for key in _WRAPPERS if isinstance(data.get(key), list)), [data])
    if not isinstance(data, list):
        raise DataError(f"{path}: expected a list of objects, found {shown(data)}", _CONTENT)
    for number, value in enumerate(data, start=1):
        good = isinstance(value, dict)
        problem = "" if good else f"expected an object, found {shown(value)}"
        yield Row(f"item {number}", value if good else None, problem)


_WRAPPERS = ("data", "train", "rows", "examples")
"""Keys under which a JSON object may hold its rows."""
_CONTENT = "give JSON lines, or a JSON list of objects"
_LARGE = "make it JSON lines, which are read one by one: jq -c '.[]' FILE"


def _batch_size(metadata: Any) -> int:
    """Rows that surely have room: each may hold the largest value of a dictionary, which is stored once."""
    largest = 1
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.has_dictionary_page:
                largest = max(largest, column.total_uncompressed_size)
    return max(1, min(_BATCH, _BATCH_BYTES // largest))


def _parquet(path: Path, place: Path) -> Iterator[Row]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        file = ParquetFile(place)
        for batch in file.iter_batches(_batch_size(file.metadata)):
            for value in batch.to_pylist():
                number += 1
                yield Row(f"row {number}", value)
    except ArrowException as error:
        raise DataError(
            f"{path}: no readable Parquet after row {number} ({str(error)[:200]})", "check the file"
        ) from None
