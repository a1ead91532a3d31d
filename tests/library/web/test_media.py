from __future__ import annotations

import pytest

from selfstudy.library.web.media import is_text, looks_like_text


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "text/html",
            "TEXT/HTML; charset=utf-8",
            "application/xhtml+xml",
            "text/plain",
            "text/markdown",
            "",
        ),
        *(
            "application/rss+xml",
            "application/atom+xml",
            "application/json",
            "application/ld+json",
            "text/xml",
        ),
        *("application/pdf", " text/html ;x"),
    ],
)
def test_texts(kind: str) -> None:
    assert is_text(kind)


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "image/png",
            "image/svg+xml",
            "video/mp4",
            "application/octet-stream",
            "text/css",
            "text/javascript",
        ),
        *("application/zip", "multipart/form-data", "html", "text", "text/html+x"),
    ],
)
def test_no_texts(kind: str) -> None:
    assert not is_text(kind)


def test_bytes_of_no_type() -> None:
    assert looks_like_text("größer".encode("latin-1"))
    assert looks_like_text(b"%PDF-1.4\n\0\0")
    assert not looks_like_text(b"\x7fELF\0\0")
