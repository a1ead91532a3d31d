"""A library is a folder or file, the embedded world, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.atlas import world
from selfstudy.errors import DataError
from selfstudy.library.open import open_library
from selfstudy.recipe import folder_library


def test_what_a_recipe_may_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Lima is the capital of Peru.")
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    found = open_library(folder_library(tmp_path))
    assert [document.source for document in found.documents] == ["a.txt"]
    assert [skipped.source for skipped in found.skipped] == ["b.bin"]
    assert open_library(folder_library("atlas")).documents == world.documents()
    assert open_library(None).documents == []
    with pytest.raises(DataError, match="nothing at"):
        open_library(folder_library(tmp_path / "elsewhere"))
