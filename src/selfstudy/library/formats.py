"""File formats of a library: how one file becomes texts, in bounded memory, whatever is in it.

One reader per format in `READERS`.  A reader yields a `Text` for each usable record, a `Bad` for each other
one, and raises `UnusableError` if the whole file is of no use.  It knows nothing of folders and duplicates.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from selfstudy.errors import SelfstudyError

MAX_RECORD = 10_000_000
"""Longest JSONL line, CSV field or HTML page, in characters: what a parser has to hold at once."""

TEXT_FIELDS = ("text", "content", "body")
BLOCK = 1 << 20
SAMPLE = 1 << 18
"""Bytes that the encoding is guessed from."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text. `place` tells it from others of its file ("" if it is the whole file)."""

    text: Iterator[str] | str
    title: str = ""
    place: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that cannot be used, at `place`."""

    place: str
    reason: str


class UnusableError(SelfstudyError):
    """A whole file cannot be used; never leaves `gather.sources`, which makes a Skipped of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file and how its bytes are to be read."""

    path: Path
    encoding: str
    note: str = ""

    def open(self) -> IO[str]:
        """The decoded text; bytes that do not fit become U+FFFD, all line ends \\n."""
        return TextIOWrapper(self.path.open("rb"), self.encoding, errors="replace", newline=None)


Reader = Callable[[Source], Iterator[Text | Bad]]


def look(path: Path) -> Source:
    """Finds out the encoding of a file: by mark, UTF-8, declared in HTML, or guessed, with a note.

    Raises:
        UnusableError: the file is empty or binary.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(SAMPLE)
    if not head.strip() and path.stat().st_size <= len(head):
        raise UnusableError("empty file")
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return Source(path, encoding)
    if b"\0" in head:
        raise UnusableError("binary file")
    sample = _not_utf8(path)
    if not sample:
        return Source(path, "utf-8")
    encoding = _declared(head) or _guessed(sample)
    note = "some bytes are not UTF-8" if encoding == "utf-8" else f"not UTF-8, read as {encoding}"
    return Source(path, encoding, note)


def _not_utf8(path: Path) -> bytes:
    """What begins a little before the first byte that is not UTF-8, or nothing."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        start = 0
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
                start += len(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            file.seek(max(0, start + error.start - SAMPLE // 2))
            return file.read(SAMPLE)
    return b""


def _declared(head: bytes) -> str:
    """The charset that an HTML page names, if Python knows it."""
    found = _DECLARED.search(head)
    try:
        name = codecs.lookup(found[1].decode("ascii")).name if found else ""
    except LookupError:
        return ""
    return "" if name == "utf-8" else name  # it says UTF-8, but it is not


def _guessed(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    # a few stray bytes in UTF-8 text: better some U+FFFD than all letters wrong
    if sample.decode("utf-8", "replace").count("\ufffd") * 100 < sum(byte > 127 for byte in sample):
        return "utf-8"
    matches = list(from_bytes(sample))
    # of equally clean readings the commonest encoding; the detector lists cp1250 before it
    if any(
        "cp1252" in (m.encoding, *m.could_be_from_charset) for m in matches if m.chaos <= matches[0].chaos
    ):
        return "cp1252"
    return matches[0].encoding if matches else "cp1252"


def read_text(source: Source) -> Iterator[Text | Bad]:
    """.txt: all of it."""
    yield Text(_stream(source))


def read_markdown(source: Source) -> Iterator[Text | Bad]:
    """.md: all of it; the first heading is the title."""
    with source.open() as file:
        head = file.read(SAMPLE)
    heading = re.search(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", head, re.MULTILINE)
    yield Text(_stream(source), heading[1] if heading else "")


def _stream(source: Source) -> Iterator[str]:
    with source.open() as file:
        while block := file.read(BLOCK):
            yield block


def read_html(source: Source) -> Iterator[Text | Bad]:
    """.html: the main text of the page; all visible text where that finds nothing."""
    with source.open() as file:
        page = file.read(MAX_RECORD + 1)
    if len(page) > MAX_RECORD:
        raise UnusableError(f"page of more than {MAX_RECORD:,} characters")
    from selfstudy.library.pages import main_text

    title, text = main_text(page)
    yield Text(text, title)


def read_jsonl(source: Source) -> Iterator[Text | Bad]:
    """.jsonl: one object a line with a text in `text`, `content` or `body`; `title` and `source` if there."""
    with source.open() as file:
        number = 0
        while line := file.readline(MAX_RECORD + 1):
            number += 1
            place = f"line {number}"
            if len(line) > MAX_RECORD:
                while line and not line.endswith("\n"):
                    line = file.readline(MAX_RECORD)
                yield Bad(place, f"record of more than {MAX_RECORD:,} characters")
            elif line.strip():
                yield _json_record(line, place)


def _json_record(line: str, place: str) -> Text | Bad:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return Bad(place, "not JSON")
    if not isinstance(entry, dict):
        return Bad(place, "not a JSON object")
    fields: dict[str, Any] = {str(key).lower(): value for key, value in entry.items()}
    text = next((fields[name] for name in TEXT_FIELDS if isinstance(fields.get(name), str)), None)
    if text is None:
        found = ", ".join(str(key) for key in list(entry)[:10]) or "none"
        return Bad(place, f"no field {_or(TEXT_FIELDS)} (fields: {found})")
    title, origin = (v if isinstance(v := fields.get(name), str) else "" for name in ("title", "source"))
    return Text(text, title, place, origin)


def read_csv(source: Source) -> Iterator[Text | Bad]:
    """.csv: a header, then a text a row in column `text`, `content` or `body`; separated by , ; or tab."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD))
    with source.open() as file:
        header = file.readline(BLOCK)
    for delimiter in ",;\t":
        columns = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
        column = next((name for name in TEXT_FIELDS if name in columns), None)
        if column is not None:
            break
    else:
        names = ", ".join(next(csv.reader([header]), [])[:20]) or "none"
        raise UnusableError(f"no column {_or(TEXT_FIELDS)} (columns: {names})")
    with source.open() as file:
        rows = csv.reader(file, delimiter=delimiter)
        next(rows)
        while True:
            place = f"line {rows.line_num + 1}"
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Bad(place, f"not CSV: {error}")
                continue
            fields = dict(zip(columns, row, strict=False))
            if row:
                yield Text(fields.get(column, ""), fields.get("title", ""), place, fields.get("source", ""))


def _or(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]


READERS: dict[str, Reader] = {
    ".txt": read_text,
    ".md": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".jsonl": read_jsonl,
    ".csv": read_csv,
}
