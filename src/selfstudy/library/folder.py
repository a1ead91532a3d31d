"""Reads a library: any folder or file of the formats that formats.py knows becomes documents.

Whatever is in the folder, reading goes on: what cannot be used is a Skipped with its reason, what was
repaired is a note.  Which files are looked at is decided in walk.py.  It knows nothing of search.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from selfstudy.library.parsing.parts import MAX_DOCUMENT, in_parts
from selfstudy.library.walk import files_of
from selfstudy.records import Document, Skipped, digest

MAX_LISTED = 20
"""Skipped records listed per file; the others are counted."""


@dataclass
class Contents:
    """What a library holds: documents in a fixed order, what was skipped, what a person should know."""

    documents: list[Document] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def add(self, document: Document) -> Skipped | None:
        """Takes a document, or says that its text is there already, but for case and white space."""
        same = digest(text.folded(document.text))
        if same in self._seen:
            return Skipped(source=document.source, reason=f"same text as {self._seen[same]}")
        self._seen[same] = document.source
        self.documents.append(document)
        return None


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
    count = 0
    for file, name in files_of(path, reading.skipped, follow_links=follow_links):
        count += 1
        skipped: list[Skipped] = []
        for item in _read_file(file, name, reading.notes, max_document):
            if isinstance(item, Skipped):
                skipped.append(item)
            elif repeat := reading.add(item):
                skipped.append(repeat)
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
                if max(len(item.title), len(item.source)) > text.MAX_TITLE:
                    notes += [] if cut else [f"{name}: titles are cut after {text.MAX_TITLE:,} characters"]
                    cut = True
                    item = replace(
                        item, title=item.title[: text.MAX_TITLE], source=item.source[: text.MAX_TITLE]
                    )
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
    found = None
    for found in in_parts(place, replace(item, title=item.title or stem), max_document=max_document):
        yield found
    if found is None:
        yield Skipped(source=place, reason="no text")


def _nothing(path: Path, files: int, skipped: list[Skipped]) -> DataError:
    lines = [f"    {item.source}: {item.reason}" for item in skipped[:10]]
    if len(skipped) > 10:
        lines.append(f"    and {len(skipped) - 10} more")
    found = f"{files} file{'' if files == 1 else 's'} found, none usable" if files else "no files"
    return DataError(
        "\n".join([f"library {path} has no text: {found}", *lines]),
        f"put {FORMATS} there; records need a field or column {either(TEXT_FIELDS)}",
    )
