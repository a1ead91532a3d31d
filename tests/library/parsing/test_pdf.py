"""PDFs, as files of a folder and alone."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from selfstudy.library.folder import read_documents
from selfstudy.library.parsing import parser
from selfstudy.library.parsing.parser import ParserError
from selfstudy.library.parsing.pdf import read_pdf

from ..pdfs import pdf


def test_text_title_and_date() -> None:
    found = read_pdf(pdf(["The Mill (old)\nstands by the river.", "Page two."], "Mills", "D:20240501103000Z"))
    assert found.text == "The Mill (old)\nstands by the river.\n\nPage two."
    assert (found.title, found.date, found.note) == ("Mills", "2024-05-01", "")


def test_pages_without_text_are_counted() -> None:
    assert read_pdf(pdf(["One.", "", ""])).note == "2 pages have no text, perhaps scanned"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (pdf(["", ""]), "a PDF of 2 pages without text, perhaps scanned"),
        (pdf(["Secret."], encrypted=True), "an encrypted PDF"),
        (b"%PDF-1.4\n" + b"junk " * 100, "a damaged PDF"),
        (b"", "a damaged PDF"),
        (b"\0" * 1000, "a damaged PDF"),
    ],
)
def test_why_a_pdf_has_no_text(document: bytes, said: str) -> None:
    with pytest.raises(ParserError, match=said):
        read_pdf(document)


def test_damage_anywhere_is_survived() -> None:
    whole = pdf(["The mill stands by the river."] * 3, "Mills")
    for at in range(0, len(whole), 40):
        for broken in (whole[:at], whole[:at] + b"\xff\0<<" + whole[at + 4 :]):
            with contextlib.suppress(ParserError):
                assert read_pdf(broken).text
    parser.stop()


def test_pages_that_contain_each_other_end() -> None:
    whole = pdf(["One."]).replace(b"/Kids [4 0 R] /Count 1", b"/Kids [2 0 R] /Count 9")
    with pytest.raises(ParserError):
        read_pdf(whole)


def test_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a mill.pdf").write_bytes(pdf(["It stands by the river."], date="D:20240501"))
    (tmp_path / "b.PDF").write_bytes(pdf(["The quay is long."], "The Quay"))
    (tmp_path / "c.pdf").write_bytes(pdf([""]))
    (tmp_path / "d.pdf").write_bytes(b"")
    (tmp_path / "e.pdf").write_bytes(b"no PDF")
    (tmp_path / "f.pdf").write_bytes(pdf(["One.", ""]))
    found = read_documents(tmp_path)
    assert [(one.source, one.title, one.date) for one in found.documents] == [
        ("a mill.pdf", "a mill", "2024-05-01"),
        ("b.PDF", "The Quay", ""),
        ("f.pdf", "f", ""),
    ]
    assert [(one.source, one.reason.partition(",")[0].partition(" (")[0]) for one in found.skipped] == [
        ("c.pdf", "a PDF of 1 pages without text"),
        ("d.pdf", "empty file"),
        ("e.pdf", "a damaged PDF"),
    ]
    assert found.notes == ["f.pdf: 1 pages have no text, perhaps scanned"]
