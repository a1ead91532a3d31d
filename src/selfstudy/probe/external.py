"""Topics and questions from outside: a text, a column of a table, a feed, stdin, a function (methods 1).

They are read once and kept in the run, so that a resumed run asks the same whatever became of the source.
Knows nothing of models, and nothing of what is made of the lines.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pydantic import BaseModel

from selfstudy.errors import DataError
from selfstudy.files import private, reading, tables
from selfstudy.files.rows import SUFFIXES, MalformedError, Row, read_rows, text_of
from selfstudy.library.services.trends import FEED_SUFFIXES, feed_file
from selfstudy.probe.vocabulary import lines_of, read_text
from selfstudy.recipe import STDIN, Ask
from selfstudy.records import Failure, digest
from selfstudy.run import Run
from selfstudy.text import clean, folded

QUESTION_COLUMNS = ("question", "questions", "query", "prompt", "instruction", "problem", "input", "text")
TOPIC_COLUMNS = ("topic", "topics", "title", "subject", "name", "keyword", "entity", "term", "text")
_CONTEXT = ("answer", "answers", "context", "passage", "document", "evidence", "reference", "title", "source")
"""Columns by which two rows with one question ask about different things."""
_MOST_KEPT = 4 * private.LARGEST
"""Bytes of what a run keeps of a source: all that is read of one has room, a million questions too."""
_SHOWN = 12
"""Columns that a message names."""
_LISTED = re.compile(r"(?:[-*+•]|\d{1,4}[.)])\s+(?=\S)")
_RULE = re.compile(r"\|?+(?:\s*+:?+-{3,}+:?+\s*+\|?+)++")
_MARKUP = re.compile(r"<[!?/\w][^>]*>|<!--|[\w\-]+:$|---$")
_NO_TEXT = (".yaml", ".yml", ".xml", ".html", ".htm", ".xlsx", ".xls", ".ods", ".docx", ".pdf")
_BEHIND = re.compile(r"""[?？؟]["']?[^\S\t]*+[,;\t|]\s*+[^\s"']""")
"""What follows a question in a row of a table."""


@dataclass(frozen=True)
class Lines:
    """What is asked or asked about, in order; `conflicts` are rows that were left out, and why."""

    lines: list[str]
    conflicts: list[Failure] = field(default_factory=list)


def external_lines(
    ask: Ask, number: int, run: Run, given: Callable[[], Iterable[str]] | None = None
) -> Lines:
    """The first `ask.count` topics or questions from outside: of a file, of stdin, or of a function.

    Of two rows of a table that ask the same and differ in answer or context the first is asked: the model
    sees the question alone, so it cannot be asked both.

    Args:
        ask: its `source` is a text file, one entry a line; a table; or "-": what `given` gives, else stdin.
        number: which `Ask` of the recipe it is.
        run: open for writing.
        given: called once; each item is one entry.

    Raises:
        DataError: the source cannot be read or has no entry.
    """
    place = run.external_file(number)
    kept = run.read_as(place, _Kept, _MOST_KEPT)
    if kept is None:
        conflicts: list[_Conflict] = []
        if given is not None and ask.source in (None, STDIN):
            lines = _given_lines(given, ask.count)
        else:
            lines = _source_lines(ask, conflicts)
        kept = _Kept(lines=lines[: ask.count], conflicts=conflicts)
        run.write_json(place, kept.model_dump(), _MOST_KEPT)
    return Lines(kept.lines, [_failure(one, number) for one in kept.conflicts])


def source_lines(ask: Ask) -> list[str]:
    """The first `ask.count` topics or questions of a file.

    Raises:
        DataError: as `external_lines`.
    """
    return _source_lines(ask, [])[: ask.count]


def _source_lines(ask: Ask, conflicts: list[_Conflict]) -> list[str]:
    source = ask.source_file
    if source == STDIN:
        return _plain(lines_of(_stdin(), "stdin"), "stdin", ask)
    if source is None:
        raise DataError("method external: no source given", "set `source` to a text file, one topic a line")
    if source.suffix.lower() in FEED_SUFFIXES and not ask.questions:
        return feed_file(source)
    if source.suffix.lower() not in SUFFIXES:
        return _plain(lines_of(read_text(source), str(source)), str(source), ask)
    lines = list(islice(_column(ask, source, conflicts), ask.count))
    if not lines:
        raise DataError(f"{source}: no row to use", "give it at least one row")
    return lines


class _Conflict(BaseModel):
    """A row that was left out."""

    place: str
    message: str


class _Kept(BaseModel):
    """What the run keeps of what it was given."""

    lines: list[str]
    conflicts: list[_Conflict] = []


def _failure(conflict: _Conflict, number: int) -> Failure:
    item = digest("external", str(number), conflict.place)
    return Failure(stage="probe", item_id=item, message=conflict.message)


def _column(ask: Ask, path: Path, conflicts: list[_Conflict]) -> Iterator[str]:
    """The cells of the column of questions or topics; rows without one are passed over."""
    wanted = QUESTION_COLUMNS if ask.questions else TOPIC_COLUMNS
    column = ""
    seen: dict[str, tuple[str, dict[str, str]]] = {}
    for row in read_rows(path):
        fields = _fields(row, path)
        if not column:
            column = _chosen(fields, wanted, path)
        if column not in fields:
            raise DataError(f"{path}, {row.place}: no `{column}`", "give every row the same fields")
        value = fields[column]
        if value is None or not str(value).strip():
            continue
        try:
            line = " ".join(clean(text_of(_whole(fields, column), column)).split())
        except MalformedError as error:
            raise DataError(f"{path}, {row.place}: {error}", f"give a text in `{column}`") from None
        about = {name: folded(str(fields[name])) for name in _CONTEXT if fields.get(name) and name != column}
        place, before = seen.setdefault(folded(line), (row.place, about))
        if ask.questions and about != before:
            different = ", ".join(name for name in _CONTEXT if about.get(name) != before.get(name))
            message = (
                f"{path.name}, {row.place}: {line!r:.300} is asked in {place} too, with other {different}; "
                "the model sees the question alone, so it was asked once: name what it is about"
            )
            conflicts.append(_Conflict(place=row.place, message=message))
            continue
        yield line


def _whole(fields: Mapping[str, object], column: str) -> object:
    """The cell; of an instruction with its input (Alpaca) both."""
    value, more = fields[column], fields.get("input")
    if column == "instruction" and isinstance(value, str) and isinstance(more, str):
        return f"{value}\n{more}"
    return value


def _fields(row: Row, path: Path) -> dict[str, object]:
    if row.value is None:
        raise DataError(f"{path}, {row.place}: {row.problem}", "fix the row, or take it out")
    return {str(name).strip().casefold(): value for name, value in row.value.items()}


def _chosen(fields: Iterable[str], wanted: tuple[str, ...], path: Path) -> str:
    names = list(fields)
    column = next((name for name in wanted if name in names), None)
    if column is None:
        found = ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
        raise DataError(
            f"{path}: no column {', '.join(wanted[:-1])} or {wanted[-1]} (columns found: {found or 'none'})",
            f"name the column `{wanted[0]}`; a table needs its names in the first line. "
            "A .txt file is read as one entry a line",
        )
    return column


def _plain(lines: list[str], where: str, ask: Ask) -> list[str]:
    """Lines of text; what is evidently a table or markup is refused: its header and marks would be asked.

    The marks of a list, where all lines have one, are left out.
    """
    first = lines[0]
    columns = [name.casefold() for name in tables.fields(first, tables.delimiter_of(first))]
    wanted = QUESTION_COLUMNS if ask.questions else TOPIC_COLUMNS
    kind = ""
    if _is_json(first) or (first == "[" and len(lines) > 1):
        kind = "JSON: name it .jsonl (an object a line) or .json"
    elif len(columns) > 1 and any(name in columns for name in wanted) and all(columns):
        kind = f"a table with the columns {', '.join(columns[:_SHOWN])}: name it .csv or .tsv"
    elif any(_RULE.fullmatch(line) for line in lines[:3]):
        kind = "a table in Markdown: save it as .csv"
    elif _MARKUP.match(first) or Path(where).suffix.lower() in _NO_TEXT or "\ufffd" in first:
        kind = "no text with one entry a line: save it as .txt, .csv or .jsonl"
    elif ask.questions and _is_table(lines):
        kind = "a table: give its columns names in the first line, and name it .csv or .tsv"
    if kind:
        raise DataError(f"{where}: its lines are no {_things(ask)}", f"it looks like {kind}")
    marks = [match[0].strip() if (match := _LISTED.match(line)) else "" for line in lines]
    numbers = [mark.rstrip(".)") for mark in marks]
    in_order = len(lines) > 1 and numbers == [str(n) for n in range(1, len(lines) + 1)]
    if all(marks) and (in_order or not any(map(str.isdigit, numbers))):  # "1. FC Lindau" keeps its number
        return [_LISTED.sub("", line).strip("\"'") for line in lines]
    return lines


def _is_table(lines: Sequence[str]) -> bool:
    """Whether all lines have the same number of fields, or something follows all questions but the header."""
    for mark in "\t;|":
        counts = [len([one for one in tables.fields(line, mark) if one]) for line in lines]
        if min(counts) > 1 and len(set(counts)) == 1 and (mark == "\t" or len(lines) > 1):
            return True
    behind = [_BEHIND.search(line) is not None for line in lines[1:]]
    return len(behind) > 0 and all(behind)


def _things(ask: Ask) -> str:
    return "questions" if ask.questions else "topics"


def _is_json(line: str) -> bool:
    if not line.startswith(("{", "[")):
        return False
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return line in ("{", "[{") or line.startswith(('{"', '[{"'))


def _given_lines(given: Callable[[], Iterable[str]], count: int) -> list[str]:
    lines: list[str] = []
    for item in given():
        if not isinstance(item, str):
            raise DataError(
                f"method external: the function gave {item!r:.60}, a {type(item).__name__}",
                "it must return an iterable of str",
            )
        if line := " ".join(clean(item).split()):
            lines.append(line)
        if len(lines) == count:  # it may well have no end
            break
    if not lines:
        raise DataError("method external: the function gave no entry", "it must return an iterable of str")
    return lines


def _stdin() -> str:
    """All of stdin; asking a person at a keyboard would look like a hang."""
    if sys.stdin is None or sys.stdin.isatty():
        raise DataError(
            "method external: `source` is - (stdin), but nothing is piped in",
            "for example: selfstudy probe my.yaml < topics.txt",
        )
    try:
        piped = sys.stdin.buffer.read(reading.LARGEST + 1)
        if len(piped) > reading.LARGEST:
            raise DataError(
                f"stdin gives more than {reading.LARGEST:,} bytes", "name a table as the `source` instead"
            )
        return piped.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"stdin is not UTF-8: {error.reason} at byte {error.start}", "pipe in UTF-8 text"
        ) from None
