"""Reading a user's own folder: real files on disk, good and bad."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.library.folder import read_documents
from selfstudy.library.parsing.formats import READERS
from selfstudy.records import Skipped

FRENCH = "Le château de la Côte d'Azur a été rénové près de l'étang. Les élèves préfèrent la forêt. "


RUSSIAN = "Москва является столицей России. Это очень большой город на реке. "


def test_whoever_gives_a_wrong_folder_is_told_every_format(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError) as caught:
            read_documents(path)
        assert all(suffix in str(caught.value.hint) for suffix in READERS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mixed folder as users have them."""
    (tmp_path / "sub" / ".git").mkdir(parents=True)
    (tmp_path / "sub" / ".git" / "config.txt").write_text("hidden")
    (tmp_path / ".hidden.txt").write_text("hidden")
    (tmp_path / "mali.txt").write_text("Bamako is the capital of Mali.", encoding="utf-8")
    (tmp_path / "bom.txt").write_text("Chad has a lake.", encoding="utf-8-sig")
    (tmp_path / "wide.txt").write_text("Togo is narrow.", encoding="utf-16")
    (tmp_path / "french.txt").write_bytes((FRENCH * 20).encode("cp1252"))
    (tmp_path / "russian.txt").write_bytes((RUSSIAN * 20).encode("cp1251"))
    (tmp_path / "stray.txt").write_bytes((RUSSIAN * 20).encode() + b"\xff end.")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "blank.md").write_text(" \n\t\n")
    (tmp_path / "photo.txt").write_bytes(b"\x89PNG\r\n\0\0\0\rIHDR")
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "copy.txt").write_text("BAMAKO is the  capital\nof Mali.")
    (tmp_path / "zz_broken.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "sub" / "guide.md").write_text("intro\n\n## The Guide ##\n\nText of the guide.\n")
    (tmp_path / "sub" / "page.html").write_text(
        "<html><head><title>Peru &amp; Lima</title><style>p{}</style></head><body><script>evil()</script>"
        "<article><h1>Peru</h1><p>Lima is the capital of Peru, and it is a very large city by the sea.</p>"
        "</article></body></html>"
    )
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(
            [
                json.dumps({"text": "Row one.", "title": "One", "source": "https://example.org/1"}),
                json.dumps({"Content": "Row two.\0\ud800"}),
                "{not json",
                json.dumps([1]),
                json.dumps({"question": "?"}),
                "",
                json.dumps({"text": "Row one.", "source": "https://example.org/9"}),
                json.dumps({"body": "  "}),
            ]
        )
    )
    (tmp_path / "table.csv").write_text('id;Title;Text\n1;Niger;"Niamey; the\ncapital."\n2;Chad;\n')
    (tmp_path / "numbers.csv").write_text("a,b\n1,2\n")
    return tmp_path


def test_mixed_folder(folder: Path) -> None:
    reading = read_documents(folder)
    found = {d.source: (d.title, d.text) for d in reading.documents}
    assert found["bom.txt"] == ("bom", "Chad has a lake.")
    assert found["wide.txt"][1] == "Togo is narrow."
    assert found["french.txt"][1] == (FRENCH * 20).strip()
    assert found["russian.txt"][1] == (RUSSIAN * 20).strip()
    assert found["stray.txt"][1] == (RUSSIAN * 20) + "\ufffd end."
    assert found["sub/guide.md"][0] == "The Guide"
    assert found["sub/page.html"][0] == "Peru & Lima"
    assert "Lima is the capital" in found["sub/page.html"][1]
    assert "evil" not in found["sub/page.html"][1]
    assert found["https://example.org/1"] == ("One", "Row one.")
    assert found["rows.jsonl#line 2"] == ("", "Row two. \ufffd")
    assert found["table.csv#line 2"] == ("Niger", "Niamey; the\ncapital.")
    assert [n.split(":")[0] for n in reading.notes] == ["french.txt", "russian.txt", "stray.txt"]
    assert not any("hidden" in text for _, text in found.values())

    skipped = {s.source: s.reason for s in reading.skipped}
    assert skipped["empty.txt"] == "empty file"
    assert skipped["blank.md"] == "empty file"
    assert skipped["photo.txt"] == "binary file"
    assert skipped["paper.pdf"].startswith("a damaged PDF")
    assert skipped["mali.txt"] == "same text as copy.txt"
    assert skipped["zz_broken.txt"] == "a link that cannot be followed: No such file or directory"
    assert skipped[".hidden.txt"] == skipped["sub/.git"] == "hidden: its name begins with a dot"
    assert skipped["rows.jsonl#line 3"] == "not JSON"
    assert skipped["rows.jsonl#line 4"] == "not a JSON object"
    assert skipped["rows.jsonl#line 5"] == "no field text, content or body (fields: question)"
    assert skipped["https://example.org/9"] == "same text as https://example.org/1"
    assert skipped["rows.jsonl#line 8"] == "no text"
    assert skipped["table.csv#line 4"] == "no text"
    assert skipped["numbers.csv"] == "no column text, content or body (columns: a, b)"
    assert len(reading.documents) == 11
    assert len(reading.skipped) == 15


def test_ids_do_not_depend_on_where_the_folder_is(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other") / "moved"
    before = [d.id for d in read_documents(folder).documents]
    folder.rename(other)
    assert [d.id for d in read_documents(other).documents] == before


def test_single_file(folder: Path) -> None:
    assert [d.source for d in read_documents(folder / "bom.txt").documents] == ["bom.txt"]


def test_nothing_usable_lists_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing at"):
        read_documents(tmp_path / "absent")
    with pytest.raises(DataError, match="no files"):
        read_documents(tmp_path)
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.csv").write_text("name,age\nx,1\n")
    with pytest.raises(DataError) as caught:
        read_documents(tmp_path)
    assert "2 files found" in str(caught.value)
    assert "a.txt: empty file" in str(caught.value)
    assert "b.csv: no column text, content or body (columns: name, age)" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b'text,"title\n' + b"x" * 10_000_001, "its header cannot be read: a quote is not closed"),
        ("b.csv", b"text,title\n", "no records"),
    ],
)
def test_an_odd_file_is_skipped_with_its_reason_and_reading_goes_on(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.txt").write_text("Good.")
    reading = read_documents(tmp_path)
    assert [d.source for d in reading.documents] == ["good.txt"]
    assert [s.source for s in reading.skipped] == [name]
    assert reading.skipped[0].reason.startswith(reason)


def test_a_million_bad_records_are_counted_not_listed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Good.")
    (tmp_path / "bad.jsonl").write_text("{\n" * 5000)
    skipped = read_documents(tmp_path).skipped
    assert skipped[-1] == Skipped(source="bad.jsonl", reason="4,980 more records of this file")
    assert len(skipped) == 21


def test_pipes_do_not_block(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Good.")
    os.mkfifo(tmp_path / "pipe.txt")
    assert read_documents(tmp_path).skipped == [Skipped(source="pipe.txt", reason="not a regular file")]


@pytest.mark.slow
def test_fifty_megabytes(tmp_path: Path) -> None:
    rng = random.Random("fifty")
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 9))) for _ in range(5000)]
    with (tmp_path / "big.txt").open("w") as file:
        while file.tell() < 50_000_000:
            file.write(" ".join(rng.choices(words, k=2000)).replace("e ", "e. ") + "\n\n")
    (tmp_path / "line.txt").write_text("x" * 3_000_000)
    start = time.perf_counter()
    reading = read_documents(tmp_path)
    assert time.perf_counter() - start < 60
    assert max(len(d.text) for d in reading.documents) <= 100_000
    assert sum(len(d.text) for d in reading.documents) > 50_000_000 * 0.99


def test_links_are_listed_and_no_text_is_read_twice(tmp_path: Path) -> None:
    library, outside = tmp_path / "library", tmp_path / "outside"
    (library / "pages").mkdir(parents=True)
    outside.mkdir()
    (library / "pages" / "ferry.txt").write_text("The ferry began in 1908.")
    (outside / "secret.txt").write_text("Somebody's own.")
    (library / "again").symlink_to("pages")
    (library / "away").symlink_to(outside)
    (library / "file.txt").symlink_to(outside / "secret.txt")
    (library / "loop").symlink_to("loop")
    (library / "pages" / "up").symlink_to(library)
    reading = read_documents(library)
    assert [document.source for document in reading.documents] == ["pages/ferry.txt"]
    skipped = {item.source: item.reason for item in reading.skipped}
    assert skipped["again"] == "a link within the library, to pages"
    assert skipped["away"].startswith(f"a link that leaves the library, to {outside}: copy")
    assert skipped["file.txt"].startswith("a link that leaves the library")
    assert skipped["loop"].startswith("a link that cannot be followed: ")
    assert skipped["pages/up"] == "a link within the library, to ."
    (tmp_path / "linked").symlink_to(library)
    assert read_documents(tmp_path / "linked").documents == reading.documents, "the library itself may be one"
