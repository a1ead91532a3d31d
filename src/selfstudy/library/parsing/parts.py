"""A text becomes documents: one, or as many as a long one has to be cut into.

It knows nothing of where texts come from, and nothing of what documents are used for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from selfstudy import text
from selfstudy.library.parsing.dates import iso_date
from selfstudy.library.parsing.formats import Text
from selfstudy.library.web.fetched import Fetched
from selfstudy.records import Document

MAX_DOCUMENT = 100_000
"""Longest document in characters; a longer text is cut into several."""


def in_parts(
    source: str, item: Text, fetched: Fetched | None = None, max_document: int = MAX_DOCUMENT
) -> Iterator[Document]:
    """The documents of a text, more than one if it is longer than `max_document`; none if it is empty.

    The second part has `#2` behind its source, and so on.

    Args:
        fetched: what it was read out of, if it was fetched.
    """
    title = " ".join(text.clean(item.title).split())[: text.MAX_TITLE]
    number = 0
    for part in split_text([item.text] if isinstance(item.text, str) else item.text, max_document):
        if body := text.clean(part).strip():
            number += 1
            yield Document(
                source=source if number == 1 else f"{source}#{number}",
                title=title,
                text=body,
                date=iso_date(item.date),
                fetched=fetched.at if fetched else "",
                sha256=fetched.sha256 if fetched else "",
            )


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
