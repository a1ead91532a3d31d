"""Which replies hold texts, by status and type of content: those are fetched, and nothing else."""

from __future__ import annotations

FULL = (200, 203)
"""Statuses that come with a page."""
_TEXTS = (
    *("text/html", "application/xhtml+xml", "text/plain", "text/markdown", "text/x-markdown"),
    *("text/xml", "application/xml", "application/json", "application/pdf", "application/x-pdf"),
    *("application/gzip", "application/x-gzip"),  # sitemaps, which may be packed
)
ACCEPT = (
    "text/html, application/xhtml+xml, application/pdf, text/plain, text/markdown, "
    "application/xml;q=0.9, */*;q=0.1"
)


def is_text(content_type: str) -> bool:
    """Whether a type is of what texts come in; where none is said, it may be."""
    kind = content_type.partition(";")[0].strip().lower()
    if not kind or kind in _TEXTS:
        return True
    return kind.startswith("application/") and kind.endswith(("+xml", "+json"))  # feeds, structured data


def looks_like_text(body: bytes) -> bool:
    """Whether bytes of no type may be a text, or are a PDF."""
    return body.startswith(b"%PDF-") or b"\0" not in body[:4096]
