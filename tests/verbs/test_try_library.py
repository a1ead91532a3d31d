"""`selfstudy library`: what a person sees of a library before a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.recipe import FolderSource, UrlsSource
from selfstudy.records import Skipped
from selfstudy.verbs.try_library import by_kind, recipe_of

from ..library.small_web import SmallWeb, small_web


@pytest.fixture
def web() -> Iterator[SmallWeb]:
    with small_web() as web:
        yield web


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def shown(*arguments: Any) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["library", *map(str, arguments)])
    return result.exit_code, result.output


def test_a_folder_and_a_question(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number in range(8):
        (tmp_path / "docs" / f"{number}.txt").write_text(f"Contract {number} is signed by the board.")
        (tmp_path / "docs" / f"{number}.xyz").touch()
    code, said = shown("docs", "--ask", "Who signs contract 3?", "--ask", "zzz", "--hits", 1)
    assert code == 0, said
    assert "8 documents, 272 characters, 0 with a date" in said
    assert "and 3 more" in said
    assert "8 times not one of .txt" in said
    assert "[1] 3 (3.txt)\n      Contract 3 is signed by the board." in said
    assert "zzz\n  no passage was found" in said


def test_a_recipe_that_searches(tmp_path: Path, web: SmallWeb) -> None:
    recipe = {"library": {"sources": [web.source], "fetch": web.fetch}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(recipe))
    code, said = shown("my.yaml", "--set", "probe.ask=[{method: open, count: 1}]")
    assert code == 0, said
    assert "searched by question: web (try it: --ask QUESTION)" in said
    assert web.asked == []
    ask = ("my.yaml", "--set", "probe.ask=[{method: open, count: 1}]", "--ask", "What is Utopia's capital?")
    code, said = shown(*ask)
    assert code == 0, said
    assert f"[1] Utopia ({web.url}/Utopia, 2025-03-01), fetched 20" in said
    assert "searxng: 1 page read, 1 not: status 1" in said
    assert f"1 times not fetched (status), such as {web.url}/missing: not fetched (status): HTTP 404" in said
    web.refuses = 403
    code, said = shown(*ask[:-1], "Is it new?")
    assert code == 2
    assert "searxng: HTTP 403" in said
    assert "Traceback" not in said


def test_what_is_named(tmp_path: Path) -> None:
    def sources(place: str) -> tuple[object, ...]:
        library = recipe_of(place, ()).library
        assert library is not None
        return library.sources

    assert sources("atlas") == (FolderSource(path="atlas"),)
    assert sources("https://example.org/a") == (UrlsSource(urls=("https://example.org/a",)),)
    (tmp_path / "bare.yaml").write_text("seed: 1\n")
    assert "names no library" in shown("bare.yaml")[1]
    assert shown("nowhere")[0] == 2


def test_reasons_are_counted_by_kind() -> None:
    skipped = [Skipped(source=str(n), reason=f"too long: {n}") for n in range(3)]
    skipped.insert(1, Skipped(source="x", reason="binary file"))
    assert [(kind, count, one.source) for kind, count, one in by_kind(skipped)] == [
        ("too long", 3, "0"),
        ("binary file", 1, "x"),
    ]
