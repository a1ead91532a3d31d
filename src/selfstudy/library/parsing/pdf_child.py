"""The text of a PDF, page by page, as pypdfium2 reads it; runs in the process that can be killed.

It knows nothing of files and of that process.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_PAGES = 5_000
"""Pages that are read: a guess; a book has a thousand."""
MAX_TEXT = 10_000_000
"""Characters that are read, of all pages together."""
_LONGEST_TITLE = 1_000
_BROKEN_WORD = re.compile("(?:\x02|\ufffe)\r?\n?")
"""How PDFium writes the hyphen at which a word was broken over two lines."""
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)(\d\d)", re.ASCII)


def read(document: bytes) -> tuple[str, str]:
    """(JSON with title, date, text, pages, read and empty; why there is none or "") of a PDF.

    `date`: when it was last changed; `read`: pages that were read; `empty`: those of them without text.
    """
    try:
        import pypdfium2
    except ImportError as error:
        return "", f"pypdfium2 cannot be imported ({error}): pip install 'selfstudy[web]'"
    try:
        pdf = pypdfium2.PdfDocument(document)
    except pypdfium2.PdfiumError as error:
        return "", _why_not(str(error))
    try:
        found = _texts(pdf)
    except MemoryError:
        raise
    except Exception as error:  # any document must be survived
        return "", f"a damaged PDF ({type(error).__name__}: {str(error)[:200]})"
    if not found["text"]:
        return (
            "",
            f"a PDF of {found['pages']:,} pages without text, perhaps scanned: recognise it first (OCR)",
        )
    return json.dumps(found), ""


def _why_not(message: str) -> str:
    if "password" in message.lower():
        return "an encrypted PDF: save it without a password"
    return f"a damaged PDF ({message[:200]})"


def _texts(pdf: Any) -> dict[str, Any]:
    texts: list[str] = []
    empty = size = read = 0
    for number in range(min(len(pdf), MAX_PAGES)):
        text = _page_text(pdf, number)
        read += 1
        empty += not text
        texts.append(text[: MAX_TEXT - size])
        size += len(text)
        if size >= MAX_TEXT:
            break
    about = pdf.get_metadata_dict()
    return {
        "title": about.get("Title", "")[:_LONGEST_TITLE],
        "date": _date(about.get("ModDate", "")) or _date(about.get("CreationDate", "")),
        "text": "\n\n".join(filter(None, texts)),
        "pages": len(pdf),
        "read": read,
        "empty": empty,
    }


def _page_text(pdf: Any, number: int) -> str:
    """ "" for a page that cannot be read: the others may."""
    import pypdfium2

    try:
        page = pdf[number]
    except pypdfium2.PdfiumError:
        return ""
    try:
        text = str(page.get_textpage().get_text_bounded())
    except pypdfium2.PdfiumError:
        return ""
    finally:
        page.close()
    return _BROKEN_WORD.sub("", text).replace("\r\n", "\n").replace("\r", "\n").strip()


def _date(value: str) -> str:
    found = _DATE.match(value)
    return "-".join(found.groups()) if found else ""
