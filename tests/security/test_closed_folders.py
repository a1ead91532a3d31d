"""What selfstudy keeps is for its owner alone, whatever the umask; what a person names follows the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from selfstudy import Run
from selfstudy.files.cache import Cache, cache_folder
from selfstudy.library.index import Library
from selfstudy.models import taught
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.probe.vocabulary import embedded
from selfstudy.recipe import Recipe
from selfstudy.records import Document
from selfstudy.run import threshold
from selfstudy.run.standing import promote, reject

from ..stories.small import cli


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for what outlives a run, not there yet."""
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def open_to_others(*places: Path) -> list[str]:
    """What is not 0700 or 0600."""
    wrong = []
    for place in places:
        for path in [place, *place.rglob("*")]:
            mode = stat.S_IMODE(path.lstat().st_mode)
            if mode != (0o700 if path.is_dir() else 0o600):
                wrong.append(f"{mode:o} {path}")
    return wrong


def test_a_run_and_all_that_is_in_it(umask: int, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"question": "What is the capital of Peru?", "answer": "Lima"}\n')
    place = tmp_path / "runs/deep/run"
    assert cli("import", rows, "--run", place)[0] == 0
    with Run.open(place) as run:
        Library.build([Document(source="a", text="Lima.")], run.library_folder, chunk_tokens=64)
        cache = Cache(run.nli_cache)  # with a write-ahead log
        cache.put({"a": b"1"})
        finished = run.round(1).path / "finished"
        (finished / "deep").mkdir(parents=True)
        (finished / "deep/weights").write_bytes(b"1")  # as a library writes it: by the umask
        taught.publish(finished, run.round(1).adapter())
        reject(run.round(1), ["no"])
        promote(run.round(1), run.round(1).adapter, move=False)
        assert cli("report", place)[0] == 2, "it is being written"
        assert not open_to_others(tmp_path / "runs")
        cache.close()
    assert cli("report", place)[0] == 0
    assert not open_to_others(tmp_path / "runs")


def test_caches_and_calibrations(umask: int, data: Path) -> None:
    cache = Cache(cache_folder() / "responses.sqlite")
    cache.put({"a": b"1"})
    assert len(list(cache_folder().iterdir())) > 1, "a write-ahead log lies beside it"
    threshold.keep(Recipe(), "agreement", {"scorer": "agreement"})
    assert isinstance(embedded([("a", "b")], LexicalEmbedder()), np.ndarray)
    assert not open_to_others(data)
    cache.close()


def test_what_was_open_is_closed_and_said(
    umask: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "run"
    Run.create_or_resume(place, Recipe()).close()
    place.chmod(0o755)
    (place / "run.json").chmod(0o644)
    (place / "notes.txt").write_text("of the user")
    (place / "notes.txt").chmod(0o644)
    Run.open(place, write=False).close()
    assert place.stat().st_mode & 0o777 == 0o755, "who only reads changes nothing"
    Run.open(place).close()
    assert "was open to other users" in caplog.text
    assert [Path(line.split()[1]).name for line in open_to_others(place)] == ["notes.txt"]
    folder = cache_folder()
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "nli.sqlite").touch()
    (folder / "nli.sqlite").chmod(0o644)
    Cache(folder / "nli.sqlite").close()
    assert not open_to_others(folder)


def test_what_a_person_names_follows_the_umask(umask: int, tmp_path: Path) -> None:
    source, out = tmp_path / "answers.jsonl", tmp_path / "scores.jsonl"
    source.write_text('{"question": "Q?", "passage": "It is so.", "samples": ["It is so."]}\n')
    assert cli("score", source, "--scorer", "agreement", "--out", out)[0] == 0
    assert out.stat().st_mode & 0o777 == 0o666 & ~umask
