"""A folder holds one index, and says of which documents; the rest is in test_index.py."""

from __future__ import annotations

from pathlib import Path

from selfstudy.library.index import Library
from selfstudy.library.index_folder import META, IndexFolder
from selfstudy.records import Document


def test_the_identity_is_written_last_and_torn_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    place = IndexFolder(folder)
    assert place.identity() is None
    Library.build([Document(source="a", text="The zebra sleeps.")], folder, chunk_tokens=64)
    written = place.identity()
    assert written is not None
    assert place.find(written) is not None
    assert place.find(written.model_copy(update={"embedder": "other"})) is None
    for torn in ("", "{", (folder / META).read_text()[:-5]):
        (folder / META).write_text(torn)
        assert place.find(written) is None
