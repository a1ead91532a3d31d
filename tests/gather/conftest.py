"""Shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.library.folder import read_documents
from selfstudy.library.index import Library

from .capitals import CAPITALS


@pytest.fixture
def library(tmp_path: Path) -> Library:
    docs = tmp_path / "docs"
    docs.mkdir()
    for country, capital in CAPITALS.items():
        (docs / f"{country}.txt").write_text(
            f"{country} is a country. The capital of {country} is {capital}."
        )
    (docs / "Togo.txt").write_text("Togo. Togo's capital! Capital of Togo? A capital question.")
    (docs / "west africa.md").write_text(
        "# West Africa\n\nIt is said that the capital of Togo is Lome. Big it is."
    )
    (docs / "empty.txt").touch()
    return Library.build(read_documents(docs).documents, tmp_path / "index", chunk_tokens=64)
