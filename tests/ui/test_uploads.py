"""Uploads: what a library reads, under safe names, and not too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.ui import uploads


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/a.TXT", "a.txt"),
        ("..\\b.md", "b.md"),
        (".hidden.txt", "hidden.txt"),
        ("<img src=x>.html", "img src-x.html"),
        ("\x00\n.txt", "document.txt"),
        ("é" * 300 + ".txt", "é" * 60 + ".txt"),
    ],
)
def test_names_are_made_safe(given: str, safe: str) -> None:
    assert uploads.safe_name(given) == safe


def test_files_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / "one.txt")
        files[-1].write_text(folder, encoding="utf-8")
    assert uploads.keep(files, tmp_path / "kept") == ["one.txt", "one-2.txt"]
    assert (tmp_path / "kept/one-2.txt").read_text(encoding="utf-8") == "b"
    assert (tmp_path / "kept/one.txt").stat().st_mode & 0o077 == 0


def test_what_is_not_read_is_refused(tmp_path: Path) -> None:
    for name, text in (("a.exe", "x"), ("a.txt", "")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(DataError):
            uploads.check([tmp_path / name])
    (tmp_path / "link.txt").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="no file"):
        uploads.check([tmp_path / "link.txt"])
    with pytest.raises(DataError, match="at most"):
        uploads.check([tmp_path / "a.txt"] * (uploads.MOST + 1))
