"""File formats of a library: how one file becomes texts, in bounded memory, whatever is in it.

To add a format: its reader here, and a row in `READERS`; all else (`FORMATS`, messages, the recipe) goes by
that table.  A reader yields a `Text` for each usable record, a `Bad` for each other
one, and raises `UnusableError` if the whole file is of no use.  It knows nothing of folders and duplicates.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

from selfstudy.errors import SelfstudyError
from selfstudy.files import reading, tables
from selfstudy.library.parsing import dates, pages, pdf
from selfstudy.library.parsing.parser import ParserError

MAX_RECORD = reading.LONGEST_LINE
"""Longest JSONL line, CSV field or HTML page, in characters: what a parser has to hold at once."""

TEXT_FIELDS = ("text", "content", "body")
DATE_FIELDS = ("date", "updated", "published")
"""Of a record, the first that is there."""
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
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s{0,20}=\s{0,20}[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_STATEFUL = ("iso2022", "hz")
"""Charsets that write everything in ASCII, with escapes; Python's names of them begin so."""
_CHARSET = re.compile("ascii|big5|cp|euc|gb|hz|iso|johab|koi8|kz|mac|ptcp|shift|tis|utf-16|utf-32|windows")
"""Of Python's codecs those that are charsets: some others run for ever, or read escapes."""
_FRONT_MATTER = re.compile(r"(-{3}|\+{3})[ \t]*\n(?:.*\n)*?\1[ \t]*(?:\n|\Z)")
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)
_DATE = re.compile(r"^(?:date|updated|lastmod)[ \t]*[:=][ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]++(\S.*)$")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*$")
_CODE_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text. `place` tells it from others of its file ("" if it is the whole file).

    `date` is as it was found, which may be none; `note` is what a person should know of how it was read.
    """

    text: Iterator[str] | str
    title: str = ""
    place: str = ""
    source: str = ""
    date: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that cannot be used, at `place`."""

    place: str
    reason: str


class UnusableError(SelfstudyError):
    """A whole file cannot be used; never leaves folder.py, which makes a Skipped of it."""


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
    if path.suffix.lower() in _NO_TEXT_FILE:
        return Source(path, "")
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
    return _charset(found[1].decode("ascii")) if found else ""


def _charset(name: str) -> str:
    """Python's name of a charset other than UTF-8, if it knows it; "" for others, and for what is none."""
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    return known if _CHARSET.match(known) else ""


def decoded(body: bytes, charset: str = "") -> str:
    """The text of a page that was fetched, or none where it is binary; bytes that do not fit become U+FFFD.

    By its mark; as UTF-8, if it is valid, whatever else is said of it; by what the header says, then the page
    itself, if it fits; else guessed.

    Args:
        charset: what the header says.

    Raises:
        UnusableError: the bytes are no text.
    """
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    named = [name for name in (_charset(charset[:40]), _declared(body[:SAMPLE])) if name]
    if b"\0" in body:
        if not any(name.startswith("utf-") for name in named):
            raise UnusableError("binary data")
    elif not (b"\x1b" in body or b"~{" in body) or not any(name.startswith(_STATEFUL) for name in named):
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError as error:
            sample = body[max(0, error.start - SAMPLE // 2) :][:SAMPLE]
        named.append(_guessed(sample))
    for encoding in named:
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode(named[-1], "replace")


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
    """.md: all of it; title and date are those of the front matter, the title else the first heading."""
    with source.open() as file:
        head = file.read(SAMPLE)
    yield Text(_stream(source), markdown_title(head), date=_front_date(head))


def _front_date(head: str) -> str:
    front = _FRONT_MATTER.match(head)
    named = _DATE.search(front[0]) if front else None
    return _yaml_text(named[1], "") if named else ""


def _yaml_text(value: str, behind: str) -> str:
    """A value of front matter, without quotes and comment; `behind`: what follows, for one in lines below."""
    value = value.strip()
    if value[:1] in ("'", '"') and value.rfind(value[0]) > 0:
        return value[1 : value.rfind(value[0])]
    if value.rstrip("+-") in (">", "|"):
        block = takewhile(lambda line: line[:1] in (" ", "\t"), behind.strip("\r\n").splitlines())
        return " ".join(line.strip() for line in block)
    return value.split(" #")[0].strip(" \t\"'")


def markdown_title(head: str) -> str:
    """The title of a page that begins with `head`; what stands in code or in a comment is none."""
    front = _FRONT_MATTER.match(head)
    if front:
        if named := _TITLE.search(front[0]):
            return _yaml_text(named[1], front[0][named.end() :])
        head = head[front.end() :]
    before = fence = ""
    for line in _COMMENT.sub("", head).split("\n"):
        mark = _CODE_FENCE.match(line)
        if fence:
            closes = mark and mark[1].startswith(fence) and not line.strip(fence[0] + " \t")
            fence = "" if closes else fence
            continue
        if mark:
            fence, before = mark[1], ""
        elif heading := _HEADING.match(line):
            return heading[1][0] + heading[1][1:].rstrip(" \t#")
        elif before and _UNDERLINE.match(line):
            return before
        else:
            before = line.strip() if line[:4].strip() else ""
    return ""


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
    try:
        title, text = pages.main_text(page)
    except ParserError as error:
        raise UnusableError(error.what) from None
    yield Text(text, title, date=dates.page_date(page))


def read_pdf(source: Source) -> Iterator[Text | Bad]:
    """.pdf: the text of its pages, with the title that it says it has."""
    try:
        found = pdf.read_pdf(reading.content(source.path))
    except ParserError as error:
        raise UnusableError(error.what) from None
    yield Text(found.text, found.title, date=found.date, note=found.note)


def read_jsonl(source: Source) -> Iterator[Text | Bad]:
    """.jsonl: one object a line, its text in `text`, `content` or `body`; title, source and date if any."""
    with source.open() as file:
        for number, line in enumerate(reading.lines(file), 1):
            place = f"line {number}"
            if len(line) > MAX_RECORD:
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
        found = ", ".join(str(key)[:40] for key in list(entry)[:10]) or "none"
        return Bad(place, f"no field {either(TEXT_FIELDS)} (fields: {found})")
    title, origin = (v if isinstance(v := fields.get(name), str) else "" for name in ("title", "source"))
    date = next((str(fields[name]) for name in DATE_FIELDS if isinstance(fields.get(name), str | int)), "")
    return Text(text, title, place, origin, date)


def read_csv(source: Source) -> Iterator[Text | Bad]:
    """.csv: a header, then a text a row in column `text`, `content` or `body`; separated by , ; tab or |."""
    with source.open() as file:
        header = file.readline(BLOCK)
    for delimiter in tables.DELIMITERS:
        columns = [name.lower() for name in tables.fields(header, delimiter)]
        column = next((name for name in TEXT_FIELDS if name in columns), None)
        if column is not None:
            break
    else:
        found = tables.fields(header, tables.delimiter_of(header))
        names = ", ".join(name[:40] for name in found[:20]) or "none"
        raise UnusableError(f"no column {either(TEXT_FIELDS)} (columns: {names})")
    with source.open() as file:
        for number, row in tables.rows(reading.lines(file), delimiter):
            if number == 1:
                if isinstance(row, str):
                    raise UnusableError(f"its header cannot be read: {row}")
                continue
            place = f"line {number}"
            fields = row if isinstance(row, str) else tables.named(columns, row)
            if isinstance(fields, str):
                yield Bad(place, fields)
            else:
                date = next(filter(None, (fields.get(name, "") for name in DATE_FIELDS)), "")
                title, origin = fields.get("title", ""), fields.get("source", "")
                yield Text(fields[column], title, place, origin, date)


def either(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]


READERS: dict[str, Reader] = {
    ".txt": read_text,
    ".md": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
    ".jsonl": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_csv,
}
"""How a file is read, by the end of its name."""

_NO_TEXT_FILE = frozenset(suffix for suffix, reader in READERS.items() if reader is read_pdf)
"""Formats that are no text in any encoding."""

FORMATS = either(tuple(READERS))
"""The formats, to say to a person."""
