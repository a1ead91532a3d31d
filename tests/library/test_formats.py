"""Each format of file becomes documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.library.folder import read_documents

from .test_folder import FRENCH


def test_first_byte_that_is_not_utf8_may_come_late(tmp_path: Path) -> None:
    (tmp_path / "late.txt").write_bytes(b"Plain words. " * 50_000 + (FRENCH * 50).encode("cp1252"))
    reading = read_documents(tmp_path)
    assert len(reading.notes) == 1
    assert reading.documents[-1].text.endswith(FRENCH.strip())


def test_rows_of_a_table_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'title,text\nFerry,"It began in 1908.\nBridge,"Built, so they say."\nTower,One, two\nMill,Old.\n'
    )
    (tmp_path / "b.tsv").write_text("title\ttext\nQuay\tLong.\n")
    (tmp_path / "c.csv").write_text("title,text\nx," + "y" * 10_000_001 + "\n")
    reading = read_documents(tmp_path)
    assert [(d.title, d.text) for d in reading.documents] == [
        ("Bridge", "Built, so they say."),
        ("Mill", "Old."),
        ("Quay", "Long."),
    ]
    assert [(s.source, s.reason) for s in reading.skipped] == [
        ("a.csv#line 2", "a quote is not closed"),
        ("a.csv#line 4", "3 fields, but 2 columns: a text that holds the separator needs quotes"),
        ("c.csv#line 2", "a row of more than 10,000,000 characters"),
    ]


@pytest.mark.parametrize(
    "front",
    [
        'title: "The Mill" # new',
        "title: The Mill  # new",
        "title: >-\n  The\n  Mill\ndate: 1",
        "title: 'The Mill'",
    ],
)
def test_titles_of_front_matter_as_yaml_writes_them(tmp_path: Path, front: str) -> None:
    (tmp_path / "page.md").write_text(f"---\n{front}\n---\nIt stands by the river.\n")
    assert [one.title for one in read_documents(tmp_path).documents] == ["The Mill"]
