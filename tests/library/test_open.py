"""A library is folders, pages, the embedded world, what is searched by question, all at once, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from selfstudy.atlas import world
from selfstudy.errors import DataError, RecipeError
from selfstudy.library.combined import Combined
from selfstudy.library.excluded import Excluded
from selfstudy.library.index import Library
from selfstudy.library.open import OpenLibrary, open_here, open_library
from selfstudy.library.searching import Searching
from selfstudy.recipe import LibraryBlock, folder_library
from selfstudy.recipe.file import make_recipe
from selfstudy.records import Record

from .small_web import SmallWeb, page, small_web


def library_of(*sources: Any, **fetch: Any) -> LibraryBlock:
    made = make_recipe({"library": {"sources": list(sources), "fetch": fetch}}, []).library
    assert made is not None
    return made


@pytest.fixture
def web() -> Iterator[SmallWeb]:
    with small_web() as web:
        yield web


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))


def test_what_a_recipe_may_name(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("Lima is the capital of Peru.")
    (docs / "b.bin").write_bytes(b"\0\1")
    found = open_library(folder_library(docs))
    assert [document.source for document in found.documents] == ["a.txt"]
    assert [skipped.source for skipped in found.skipped] == ["b.bin"]
    assert open_library(folder_library("atlas")).documents == world.documents()
    assert open_library(None).documents == []
    with pytest.raises(DataError, match="nothing at"):
        open_library(folder_library(tmp_path / "elsewhere"))


def test_what_was_unlearned_is_not_given_though_it_lies_there(tmp_path: Path) -> None:
    for name, text in (("eu/fr.txt", "Paris is in France."), ("am/pe.txt", "Lima is in Peru.")):
        (tmp_path / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "docs" / name).write_text(text)
    library = folder_library(tmp_path / "docs")
    found = OpenLibrary(library, without=Excluded(["eu"]))
    assert [one.source for one in found.contents.documents] == ["am/pe.txt"]
    assert found.contents.notes == ["library: 1 documents are left out: they were unlearned"]
    retriever = found.retriever(tmp_path / "index", chunk_tokens=64, embedder=None, keep=list)
    assert {hit.source for hit in retriever.find(["Paris France"], 5)[0]} <= {"am/pe.txt"}
    with pytest.raises(DataError, match="all 2 documents were unlearned"):
        _ = OpenLibrary(library, without=Excluded(["*"])).contents


def test_a_page_that_was_unlearned_is_not_fetched_again(tmp_path: Path, web: SmallWeb) -> None:
    library = library_of({"type": "urls", "urls": [f"{web.url}/Utopia", f"{web.url}/Laputa"]}, **web.fetch)
    web.pages["/Laputa"] = page("Laputa", "Laputa is an island that flies over Balnibarbi all day long.")
    kept = tmp_path / "kept"
    with closing(OpenLibrary(library, kept, without=Excluded([f"{web.url}/Utopia"]))) as found:
        assert [one.source for one in found.contents.documents] == [f"{web.url}/Laputa"]
        assert found.contents.notes[-1] == "library: 1 documents are left out: they were unlearned"
    assert "/Utopia" not in web.asked
    assert not any(b"Amaurot" in file.read_bytes() for file in kept.rglob("*") if file.is_file())
    with (
        closing(OpenLibrary(library, kept, without=Excluded([web.url]))) as none,
        pytest.raises(DataError, match="all 2 documents were unlearned"),
    ):
        _ = none.contents


def test_several_sources_are_one_library_and_a_text_counts_once(tmp_path: Path, web: SmallWeb) -> None:
    (tmp_path / "a.txt").write_text("Lima is the capital of Peru.")
    (tmp_path / "b.txt").write_text("  LIMA is the capital of   Peru. ")
    library = library_of(
        str(tmp_path / "a.txt"),
        str(tmp_path / "b.txt"),
        {"type": "urls", "urls": [f"{web.url}/Utopia", f"{web.url}/gone", f"{web.url}/Utopia"]},
        **web.fetch,
    )
    found = OpenLibrary(library, tmp_path / "kept").contents
    assert [one.source for one in found.documents] == ["a.txt", f"{web.url}/Utopia"]
    reasons = {one.source: one.reason for one in found.skipped}
    assert reasons["b.txt"] == "same text as a.txt"
    assert reasons[f"{web.url}/gone"].startswith("not fetched (status)")
    assert found.notes == ["library: 1 page read, 1 not: status 1"]
    assert found.documents[1].fetched
    assert found.documents[1].date == "2025-03-01"
    assert [one.source for one in open_here(library).documents] == ["a.txt"]
    asked = len(web.asked)
    again = OpenLibrary(
        library_of(*library.model_dump()["sources"], offline=True), tmp_path / "kept"
    ).contents
    assert (again.documents, len(web.asked)) == (found.documents, asked)


def test_a_fresh_one_sees_that_a_page_has_changed_and_keeps_what_it_saw(
    tmp_path: Path, web: SmallWeb
) -> None:
    library = library_of({"type": "urls", "urls": [f"{web.url}/Utopia"]}, **web.fetch)

    def text(*, fresh: bool) -> str:
        with closing(OpenLibrary(library, tmp_path / "kept", fresh=fresh)) as opened:
            return opened.contents.documents[0].text

    assert "Amaurot" in text(fresh=False)
    web.pages["/Utopia"] = page("Utopia", "The capital of Utopia is Hythloday. It lies on the river Anyder.")
    assert "Amaurot" in text(fresh=False)
    assert "Hythloday" in text(fresh=True)
    assert "Hythloday" in text(fresh=False)
    del web.pages["/Utopia"]
    with pytest.raises(DataError):
        text(fresh=True)
    assert "Hythloday" in text(fresh=False)  # whoever could not be asked has not changed


def test_no_page_at_all_says_so_with_the_first_of_them(web: SmallWeb) -> None:
    library = library_of({"type": "urls", "urls": [f"{web.url}/x{i}" for i in range(12)]}, **web.fetch)
    with pytest.raises(DataError) as caught:
        _ = OpenLibrary(library).contents
    message = str(caught.value)
    assert "none of 12 pages could be used" in message
    assert f"{web.url}/x0: not fetched (status): HTTP 404" in message
    assert "and 2 more" in message
    assert len(message.splitlines()) < 24


def test_a_host_that_was_not_allowed_is_not_asked(web: SmallWeb) -> None:
    library = library_of({"type": "urls", "urls": [f"{web.url}/Utopia"]}, delay=0)
    with pytest.raises(DataError, match=r"not fetched \(address\)"):
        _ = OpenLibrary(library).contents
    assert web.asked == []


def test_the_retriever_is_what_the_sources_need(tmp_path: Path, web: SmallWeb) -> None:
    kept: list[Record] = []

    def retriever(library: LibraryBlock) -> Any:
        opened = OpenLibrary(library)
        return opened.retriever(tmp_path / "index", chunk_tokens=64, embedder=None, keep=kept.extend)

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The capital of Peru is Lima.")
    here = str(tmp_path / "docs")
    assert isinstance(retriever(library_of(here)), Library)
    assert isinstance(retriever(library_of(web.source, **web.fetch)), Searching)
    both = retriever(library_of(here, web.source, **web.fetch))
    assert isinstance(both, Combined)
    hits = both.find(["What is the capital of Utopia?", "What is the capital of Peru?"], 2)
    assert [hit.source for hit in hits[0]] == [f"{web.url}/Utopia", "a.txt"]  # both are first, somewhere
    assert [hit.source for hit in hits[1]] == ["a.txt"]
    assert {one.id for one in kept} >= {hits[0][0].document_id}


def test_what_is_missing_is_said_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    web = {"type": "web", "engine": "brave", "api_key_env": "A_KEY"}
    with pytest.raises(DataError, match=r"\$A_KEY is empty"):
        OpenLibrary(library_of("atlas", web)).check()
    OpenLibrary(library_of("atlas", web, offline=True)).check()
    with pytest.raises(DataError, match="wants to know who asks it"):
        OpenLibrary(library_of({"type": "wikipedia"})).check()
    with pytest.raises(RecipeError, match="contact cannot stand in a header"):
        OpenLibrary(library_of("https://example.org/", contact="me (at) home")).check()


def test_two_addresses_of_one_page_are_one_document(web: SmallWeb) -> None:
    web.pages["/copy"] = web.pages["/Utopia"]
    found = open_library(
        library_of({"type": "urls", "urls": [f"{web.url}/Utopia", f"{web.url}/copy"]}, **web.fetch)
    )
    assert [one.source for one in found.documents] == [f"{web.url}/Utopia"]
    (same,) = found.skipped
    assert same.reason == f"same text as {web.url}/Utopia"
