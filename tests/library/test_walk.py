"""Which files belong to a library (security/test_library.py attacks it)."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.library.walk import files_of
from selfstudy.records import Skipped


def test_files_come_before_folders_in_sorted_order_with_the_names_they_have_there(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "deep/c.txt", "also/d.txt", ".hidden/e.txt", ".f"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    skipped: list[Skipped] = []
    found = list(files_of(tmp_path, skipped))
    assert [name for _, name in found] == ["a.txt", "b.txt", "also/d.txt", "deep/c.txt"]
    assert all(path == tmp_path / name for path, name in found)
    assert [item.source for item in skipped] == [".f", ".hidden"]
    assert list(files_of(tmp_path / "a.txt", skipped)) == [(tmp_path / "a.txt", "a.txt")]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing at"):
        list(files_of(tmp_path / "nowhere", []))
