"""What is discussed: topics out of a file, or as they are given.

    .txt and others             a topic a line
    .jsonl .json .csv .parquet  a column topic, prompt or question, or the one that is named

A row that is no topic is told by its place and why, and costs no other.  Who opens alternates from topic to
topic, so that no figure mixes a model with its place.  Knows no models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfstudy.errors import DataError, RecipeError
from selfstudy.files.rows import SUFFIXES, MalformedError, Row, read_rows, read_text_lines, text_of
from selfstudy.records import digest
from selfstudy.text import folded, lines_below
from selfstudy.verbs.importing import columns

Side = Literal["first", "second"]
"""Which of the two models."""
SIDES: tuple[Side, Side] = ("first", "second")
COLUMNS = ("topic", "prompt", "question")
_HINT = "give a line of text for each topic, or rows with a column: --column topic=COLUMN"


@dataclass(frozen=True, slots=True)
class DiscussionTopic:
    """A topic, and which model opens its discussion."""

    id: str
    text: str
    opens: Side


@dataclass(frozen=True, slots=True)
class GivenTopics:
    """Those of a file: given = usable + repeats + failed ("line 3: why", one each)."""

    usable: tuple[DiscussionTopic, ...]
    repeats: int
    failed: tuple[str, ...]


def read_topics(path: Path, column: str | None = None, most: int | None = None) -> GivenTopics:
    """The topics of a file, in its order.

    Args:
        column: that holds them; None: the first filled one of `COLUMNS`.
        most: usable ones that are read; None: all.

    Raises:
        DataError: the file cannot be read, or holds no topic.
    """
    rows = _rows(path, column) if path.suffix.lower() in SUFFIXES else _lines(path)
    found = _collected(rows, most)
    if not found.usable:
        raise DataError(f"{path}: it holds no topic{lines_below(found.failed)}", _HINT)
    return found


def given_topics(texts: Sequence[str], most: int | None = None) -> GivenTopics:
    """Topics as the command has them.

    Raises:
        DataError: none says anything.
    """
    given = ((f"topic {n}", text_of(text, "topic").strip(), "") for n, text in enumerate(texts, start=1))
    found = _collected(given, most)
    if not found.usable:
        raise DataError("no topic says anything", 'give --topic "TEXT"')
    return found


def named_column(options: Sequence[str]) -> str | None:
    """The column of `topic=COLUMN`; None: none is named.

    Raises:
        RecipeError: it is no such thing, or there are several.
    """
    if not options:
        return None
    what, equals, column = options[0].partition("=")
    if len(options) > 1 or what != "topic" or not equals or not column.strip():
        raise RecipeError(f"--column {' '.join(options)}: no such name", "give topic=COLUMN, once")
    return column.strip()


_Found = tuple[str, str, str]
"""Of a row: its place, its text, and what is wrong with it."""


def _collected(rows: Iterable[_Found], most: int | None) -> GivenTopics:
    found: dict[str, DiscussionTopic] = {}
    repeats, failed = 0, []
    for place, text, problem in rows:
        if most is not None and len(found) >= most:
            break
        if problem or not text:
            failed.append(f"{place}: {problem or 'it is empty'}")
        elif folded(text) in found:
            repeats += 1
        else:
            opens = SIDES[len(found) % 2]
            found[folded(text)] = DiscussionTopic(digest("topic", text), text, opens)
    return GivenTopics(tuple(found.values()), repeats, tuple(failed))


def _lines(path: Path) -> Iterator[_Found]:
    for place, line in read_text_lines(path):
        yield place, line, ""


def _rows(path: Path, column: str | None) -> Iterator[_Found]:
    for row in read_rows(path):
        try:
            yield row.place, _text(row, column), ""
        except MalformedError as error:
            yield row.place, "", str(error)


def _text(row: Row, column: str | None) -> str:
    """The topic of a row.

    Raises:
        MalformedError: there is none.
    """
    if row.value is None:
        raise MalformedError(row.problem)
    wanted = COLUMNS if column is None else (column,)
    held = {name.strip().lower(): value for name, value in row.value.items()}
    filled = columns.filled(held, [name.lower() for name in wanted])
    if not filled:
        raise MalformedError(f"field {' or '.join(map(repr, wanted))} is missing or empty")
    return text_of(held[filled[0]], filled[0]).strip()
