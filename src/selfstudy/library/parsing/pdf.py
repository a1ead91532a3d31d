"""What is in a PDF: its text, title and date, or the reason why there is none.

It is parsed in the process that can be killed (pdf_child.py).  It knows nothing of files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from selfstudy.library.parsing import parser


@dataclass(frozen=True, slots=True)
class PdfText:
    """A PDF as text; `note` says what of it was not read, "" if nothing."""

    title: str
    date: str
    text: str
    note: str = ""


def read_pdf(document: bytes) -> PdfText:
    """The text of a PDF, its pages one below the other.

    Raises:
        parser.ParserError: it is encrypted, damaged, has no text, or takes too much time or memory.
    """
    reply, trouble = parser.parsed("PDF", document)
    if trouble:
        raise parser.ParserError(trouble)
    found = json.loads(reply)
    notes = []
    if found["read"] < found["pages"]:
        notes.append(f"{found['read']:,} of {found['pages']:,} pages are read")
    if found["empty"]:
        notes.append(f"{found['empty']:,} pages have no text, perhaps scanned")
    return PdfText(found["title"], found["date"], found["text"], "; ".join(notes))
