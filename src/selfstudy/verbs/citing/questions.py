"""Questions that are to be answered with citations: out of a file, or as the command has one.

    .txt and others                  a question a line
    .jsonl .json .csv .tsv .parquet  rows with `question`, and in ALCE's layout `docs` and what is gold

A row that cannot be asked is told with its place and why, and costs no other.  Knows neither models nor
libraries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from selfstudy.errors import DataError
from selfstudy.files.rows import SUFFIXES, MalformedError, Row, read_rows, read_text_lines
from selfstudy.judging.cited_items import CitedItem, read_item
from selfstudy.records import digest
from selfstudy.text import lines_below


@dataclass(frozen=True, slots=True)
class CitedQuestion:
    """A question; `error` says why it cannot be asked, and then there is no item.

    Attributes:
        id: tells it from every other, at another place too.
        place: where it stands in its file.
        row: as it came; empty where the file has text alone, or no object.
        item: with the documents that the row brings; none where they are to be found.
    """

    id: str
    place: str
    row: dict[str, Any]
    item: CitedItem | None = None
    error: str = ""

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Those of the item, as the row has them."""
        return list(self.row["docs"]) if self.item is not None and self.item.documents else []


def given_question(text: str, *, listed: bool = False) -> CitedQuestion:
    """The question of a command.

    Raises:
        DataError: it says nothing, or too much.
    """
    hint = 'give a QUESTION such as "Who built it?"'
    if not text.strip():
        raise DataError("the question is empty", hint)
    found = _read(Row("the question", {"question": text}), listed=listed, finding=True)
    if found.error:
        raise DataError(f"{found.place}: {found.error}", hint)
    return found


def read_questions(path: Path, *, listed: bool = False, finding: bool) -> list[CitedQuestion]:
    """The questions of a file, in its order, with what is none.

    Args:
        listed: whether rows that do not say what is gold want a list.
        finding: whether documents are found for them; else each row brings its own.

    Raises:
        DataError: the file cannot be read, or holds no question.
    """
    rows = read_rows(path) if path.suffix.lower() in SUFFIXES else _lines(path)
    found = [_read(row, listed=listed, finding=finding) for row in rows]
    if not any(one.item is not None for one in found):
        failed = [f"{one.place}: {one.error}" for one in found]
        raise DataError(
            f"{path}: it holds no question that can be asked{lines_below(failed)}",
            "give a question a line, or rows with a field question"
            + ("" if finding else " (and docs, or a library with --library)"),
        )
    return found


def _lines(path: Path) -> Iterator[Row]:
    for place, line in read_text_lines(path):
        yield Row(place, {"question": line})


def _read(row: Row, *, listed: bool, finding: bool) -> CitedQuestion:
    value = row.value or {}
    key = digest("cite", row.place, json.dumps(value, sort_keys=True, default=str), str(listed))
    try:
        if row.value is None:
            raise MalformedError(row.problem)
        if not finding and value.get("docs") is None:
            raise MalformedError("field 'docs' is missing, and there is no library (--library)")
        item = read_item({**value, "docs": [] if finding else value["docs"]})
    except MalformedError as error:
        return CitedQuestion(key, row.place, value, error=str(error))
    if listed and item.kind == "plain":
        item = replace(item, kind="qampari")
    return CitedQuestion(key, row.place, value, item)
