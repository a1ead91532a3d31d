"""Reads a library: any folder or file of the formats that formats.py knows becomes documents.

Whatever is in the folder, reading goes on: what cannot be used is a Skipped with its reason, what was
repaired is a note.  Which files are looked at is decided in walk.py.  It knows nothing of search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfstudy import text
from selfstudy.errors import DataError
from selfstudy.files import own
from selfstudy.library.parsing.dates import iso_date
from selfstudy.library.parsing.formats import (
    FORMATS,
    READERS,
    TEXT_FIELDS,
    Bad,
    Text,
    UnusableError,
    either,
    look,
    read_html,
)
from selfstudy.library.walk import files_of
from selfstudy.records import Document, Skipped, digest

MAX_DOCUMENT = 100_000
"""Longest document in characters; a longer text is cut into several."""
MAX_TITLE = 1_000
"""Longest title, and longest source that a record names, in characters: every passage carries them."""
MAX_LISTED = 20
"""Skipped records listed per file; the others are counted."""


@dataclass
class Contents:
    """What a library holds: documents in a fixed order, what was skipped, what a person should know."""

    documents: list[Document] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_documents(path: Path, max_document: int = MAX_DOCUMENT, *, follow_links: bool = False) -> Contents:
    """All documents of the file or folder `path` (with its subfolders, in sorted order).

    `Document.source` is the path below `path`, with `#line 7` for a record and `#2` for the second part of a
    text longer than `max_document`, so ids do not depend on where the folder lies.  A record may name its own
    source.  What is passed over is said in walk.py.  Of texts that are equal but for case and white space the
    first one counts.

    Args:
        follow_links: whether links that leave the folder are followed.

    Raises:
        DataError: nothing is at `path`, or nothing there can be used; it lists what was skipped and why.
    """
    path = Path(path)
    reading = Contents()
    seen: dict[str, str] = {}
    count = 0
    for file, name in files_of(path, reading.skipped, follow_links=follow_links):
        count += 1
        skipped: list[Skipped] = []
        for item in _read_file(file, name, reading.notes, max_document):
            if isinstance(item, Skipped):
                skipped.append(item)
                continue
            same = digest(text.folded(item.text))
            if same in seen:
                skipped.append(Skipped(source=item.source, reason=f"same text as {seen[same]}"))
            else:
                seen[same] = item.source
                reading.documents.append(item)
        reading.skipped += _shortened(skipped, name)
    if not reading.documents:
        raise _nothing(path, count, reading.skipped)
    return reading


def _shortened(skipped: list[Skipped], name: str) -> list[Skipped]:
    """One file may hold a million bad records: the first ones, and how many more."""
    if len(skipped) <= MAX_LISTED:
        return skipped
    rest = len(skipped) - MAX_LISTED
    return [*skipped[:MAX_LISTED], Skipped(source=name, reason=f"{rest:,} more records of this file")]


def _read_file(file: Path, name: str, notes: list[str], max_document: int) -> Iterator[Document | Skipped]:
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        yield Skipped(source=name, reason=f"not one of {', '.join(READERS)}")
        return
    try:
        if file.exists() and not file.is_file():
            raise UnusableError("not a regular file")
        if reader is read_html and own.says_page(file.resolve()):
            raise UnusableError("a page that selfstudy made")
        source = look(file)
        if source.note:
            notes.append(f"{name}: {source.note}")
        records, cut, undated = 0, False, False
        for item in reader(source):
            records += 1
            if isinstance(item, Bad):
                yield Skipped(source=f"{name}#{item.place}", reason=item.reason)
            else:
                if max(len(item.title), len(item.source)) > MAX_TITLE:
                    notes += [] if cut else [f"{name}: titles are cut after {MAX_TITLE:,} characters"]
                    cut = True
                    item = replace(item, title=item.title[:MAX_TITLE], source=item.source[:MAX_TITLE])
                if item.note:
                    notes.append(f"{name}: {item.note}")
                if item.date.strip() and not iso_date(item.date):
                    notes += [] if undated else [_no_date(name, item.date)]
                    undated = True
                yield from _documents(item, name, file, max_document)
        if not records:
            yield Skipped(source=name, reason="no records")
    except UnusableError as error:
        yield Skipped(source=name, reason=error.what)
    except Exception as error:  # whatever is in a file, reading goes on; nothing is written here
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        yield Skipped(source=name, reason=f"cannot be read: {reason or type(error).__name__}")


def _no_date(name: str, found: str) -> str:
    shown = text.one_line(text.clean(found), 40)
    return f"{name}: dates like {shown!r} are left out: write them as 2026-11-28, and none that is to come"


def _documents(item: Text, name: str, file: Path, max_document: int) -> Iterator[Document | Skipped]:
    place = text.clean(item.source.strip()) or (f"{name}#{item.place}" if item.place else name)
    stem = "" if item.place else file.stem.replace("_", " ").replace("-", " ")
    title = " ".join(text.clean(item.title or stem).split())
    blocks = [item.text] if isinstance(item.text, str) else item.text
    number = 0
    for part in split_text(blocks, max_document):
        body = text.clean(part).strip()
        if body:
            number += 1
            source = place if number == 1 else f"{place}#{number}"
            yield Document(source=source, title=title, text=body, date=iso_date(item.date))
    if not number:
        yield Skipped(source=place, reason="no text")


def split_text(blocks: Iterable[str], size: int) -> Iterator[str]:
    """Cuts a text, given in blocks of any length, into parts of at most `size` characters.

    A part ends, in its second half, at the last empty line, else line end, else sentence end, else space,
    else anywhere.  The parts do not depend on the blocks; about one block and one part are in memory.
    """
    buffer = ""
    for block in blocks:
        buffer += block
        at = 0
        while len(buffer) - at > size:
            end = at + _cut(buffer[at : at + size])
            yield buffer[at:end]
            at = end
        buffer = buffer[at:]
    if buffer:
        yield buffer


def _cut(window: str) -> int:
    middle = len(window) // 2
    for mark in ("\n\n", "\n"):
        at = window.rfind(mark, middle)
        if at >= 0:
            return at + len(mark)
    spans = text.sentence_spans(window)
    if len(spans) > 1 and spans[-2][1] > middle:
        return spans[-2][1]
    at = window.rfind(" ", middle)
    return at + 1 if at >= 0 else len(window)


def _nothing(path: Path, files: int, skipped: list[Skipped]) -> DataError:
    lines = [f"    {item.source}: {item.reason}" for item in skipped[:10]]
    if len(skipped) > 10:
        lines.append(f"    and {len(skipped) - 10} more")
    found = f"{files} file{'' if files == 1 else 's'} found, none usable" if files else "no files"
    return DataError(
        "\n".join([f"library {path} has no text: {found}", *lines]),
        f"put {FORMATS} there; records need a field or column {either(TEXT_FIELDS)}",
    )
