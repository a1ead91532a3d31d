"""Each format of file becomes documents."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from selfstudy.library.folder import read_documents

from ..test_folder import FRENCH


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


def test_titles_that_are_whole_texts_are_cut_and_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(f"# {'word ' * 1000}\n\nText.\n")
    row = json.dumps({"text": "One.", "title": "t" * 5000, "source": "s" * 5000})
    (tmp_path / "rows.jsonl").write_text(f"{row}\n{row.replace('One', 'Two')}\n")
    found = read_documents(tmp_path)
    assert [len(d.title) for d in found.documents] == [999, 1000, 1000]
    assert [len(d.source) for d in found.documents] == [7, 1000, 1000]
    said = "titles are cut after 1,000 characters"
    assert found.notes == [f"page.md: {said}", f"rows.jsonl: {said}"]


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "utf-7", "hex", "zlib"])
def test_a_codec_that_is_no_charset_is_not_taken_from_a_page(charset: str, tmp_path: Path) -> None:
    page = f"<meta charset={charset}><p>Caf\xe9 in Lima, " + "a-b \\u0041 +AGE- " * 20_000
    (tmp_path / "page.html").write_bytes(page.encode("cp1252"))
    start = time.process_time()
    document = read_documents(tmp_path).documents[0]
    assert document.text.startswith("Caf\xe9 in Lima, a-b \\u0041 +AGE-")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("heading", ["# The Quay" + " " * 80_000 + "#", "# The Quay " + "# " * 40_000])
def test_what_stands_behind_a_heading_costs_nothing(heading: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(heading + "\n\nText.")
    start = time.process_time()
    assert [d.title for d in read_documents(tmp_path).documents] == ["The Quay"]
    assert time.process_time() - start < 1


def test_dates_of_documents(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ntitle: Quay\ndate: 2024-05-01T10:00:00Z # first\n---\nText a.\n")
    (tmp_path / "b.md").write_text('+++\nlastmod = "2023-11"\n+++\nText b.\n\ndate: 2020-01-01\n')
    rows = [
        {"text": "Text c.", "date": "2024-02-29"},
        {"text": "Text d.", "Published": 2019},
        {"text": "Text e.", "updated": "next week"},
        {"text": "Text f.", "date": None, "updated": "2022"},
        {"text": "Text g.", "date": "2999-01-01"},
    ]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "d.csv").write_text("text,date\nText h.,2021-07-08\nText i.,08.07.2021\n")
    (tmp_path / "e.html").write_text('<meta property="article:modified_time" content="2024-03-01"><p>Text j.')
    found = read_documents(tmp_path)
    assert {one.text[-2]: one.date for one in found.documents if one.text.startswith("Text")} == {
        **{"c": "2024-02-29", "d": "2019", "e": "", "f": "2022", "g": ""},
        **{"h": "2021-07-08", "i": "", "j": "2024-03-01"},
    }
    by_file = {one.source: one.date for one in found.documents}
    assert (by_file["a.md"], by_file["b.md"]) == ("2024-05-01", "2023-11")
    said = "are left out: write them as 2026-11-28, and none that is to come"
    assert found.notes == [
        f"c.jsonl: dates like 'next week' {said}",
        f"d.csv: dates like '08.07.2021' {said}",
    ]
