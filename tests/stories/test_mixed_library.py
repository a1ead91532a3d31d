"""Evidence from a folder and from a search engine at once, on the embedded model: kept, resumed, repeated.

The engine and its pages are our own, on loopback (library/small_web.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from selfstudy.atlas import world
from selfstudy.errors import SelfstudyError
from selfstudy.library.index import Hit
from selfstudy.library.searching import Searching
from selfstudy.loop import Study
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import make_recipe
from selfstudy.records import Document, Evidence, Failure, Question, Reference, Skipped, Verdict
from selfstudy.run import Run

from ..library.small_web import SmallWeb, page, small_web

TEXTS = {one.title: one.text for one in world.documents()}
FOLDER, WEB = ("Peru", "Mali"), ("Fiji", "Chad")
CAPITALS = {"Peru": "Lima", "Mali": "Bamako", "Fiji": "Suva", "Chad": "Djamena"}
QUESTIONS = [f"What is the capital of {name}?" for name in (*FOLDER, *WEB, "Nowhere")]


@pytest.fixture
def web() -> Iterator[SmallWeb]:
    with small_web() as web:
        web.pages = {f"/{name}": page(name, TEXTS[name]) for name in WEB}
        web.found = {name.lower(): ["/missing", f"/{name}"] for name in WEB}
        yield web


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    (tmp_path / "docs").mkdir()
    for name in FOLDER:
        (tmp_path / "docs" / f"{name}.txt").write_text(TEXTS[name])
    (tmp_path / "q.txt").write_text("\n".join(QUESTIONS))
    return tmp_path


def recipe(home: Path, web: SmallWeb, *sources: Any, **fetch: Any) -> Recipe:
    ask = {"method": "external", "count": 9, "questions": True, "source": str(home / "q.txt")}
    return make_recipe(
        {
            "library": {"sources": list(sources), "fetch": {**web.fetch, **fetch}},
            "probe": {"ask": [ask], "samples": 2},
            "gather": {"samples": 2},
            "answering": {"block_size": 2},
            "smoke": "skip",
        },
        [],
    )


def gathered(folder: Path, chosen: Recipe) -> dict[str, bytes]:
    """The records of a run that probes and gathers."""
    with Run.create_or_resume(folder, chosen) as run, Study(run) as study:
        study.probe()
        study.gather()
    return records(folder)


def records(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "rounds" / "1").glob("*.jsonl"))}


def test_a_folder_and_the_web_give_evidence_that_can_be_checked_from_the_run_alone(
    home: Path, web: SmallWeb
) -> None:
    mixed = recipe(home, web, str(home / "docs"), web.source)
    made = gathered(home / "run", mixed)
    with Run.open(home / "run", write=False) as run:
        turn = run.round(1)
        documents = {one.id: one for one in turn.read(Document)}
        questions = {one.id: one.text for one in turn.read(Question)}
        best = {}
        for hit in turn.read(Evidence):
            if hit.source.startswith("http"):
                document = documents[hit.document_id]
                assert document.text[hit.start : hit.end] == hit.text
                assert (hit.fetched, hit.sha256, hit.date) == (
                    document.fetched,
                    document.sha256,
                    "2025-03-01",
                )
                kept = next((home / "run" / run.fetched_folder.name).rglob(hit.sha256))
                assert hit.source.rpartition("/")[2].encode() in kept.read_bytes()
            best.setdefault(questions[hit.question_id], hit.source.rpartition("/")[2])
        read = {questions[one.question_id]: one.text for one in turn.read(Reference) if one.accepted}
        for name, capital in CAPITALS.items():
            asked = f"What is the capital of {name}?"
            assert best[asked] == (f"{name}.txt" if name in FOLDER else name)
            assert capital in read[asked]
        (missing,) = turn.read(Skipped)
        assert missing.source == f"{web.url}/missing"
        assert missing.reason.startswith("not fetched (status)")
        assert len(turn.read(Verdict)) == len(QUESTIONS)
        assert not turn.read(Failure)

    # again, of the kept pages alone
    asked = len(web.asked)
    (home / "again").mkdir()
    (home / "run" / "fetched").rename(home / "again" / "fetched")
    copied = home / "offline"
    with Run.create_or_resume(copied, mixed):
        pass
    (home / "again" / "fetched").rename(copied / "fetched")
    assert gathered(copied, recipe(home, web, str(home / "docs"), web.source, offline=True)) == made
    assert len(web.asked) == asked


def without_times(files: dict[str, bytes]) -> dict[str, bytes]:
    """Records as they would be had all pages been fetched at the same time."""
    return {name: re.sub(rb'"fetched":"[^"]*"', b"", content) for name, content in files.items()}


class Killed(BaseException):
    """As a kill would come."""


def test_a_run_that_is_killed_while_it_gathers_ends_with_the_same_records(
    home: Path, web: SmallWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = recipe(home, web, web.source)
    undisturbed = gathered(home / "whole", chosen)
    web.asked.clear()
    find = Searching.find
    left = 2

    def killing(self: Searching, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        nonlocal left
        left -= 1
        found = find(self, questions, hits)
        if not left:  # the pages of the second block are kept, its records are not
            raise Killed
        return found

    with Run.create_or_resume(home / "run", chosen) as run, Study(run) as study:
        study.probe()
        with monkeypatch.context() as patched:
            patched.setattr(Searching, "find", killing)
            with pytest.raises(Killed):
                study.gather()
    assert 0 < len(records(home / "run").get("verdicts.jsonl", b"").splitlines()) < len(QUESTIONS)
    resumed = gathered(home / "run", chosen)
    assert [web.asked.count(f"/{name}") for name in WEB] == [1, 1]  # what was fetched before the kill is kept
    assert without_times(resumed) == without_times(undisturbed)


def test_an_engine_that_refuses_leaves_the_stage_open(home: Path, web: SmallWeb) -> None:
    chosen = recipe(home, web, web.source)
    for status, said in ((403, "searxng: HTTP 403"), (500, "searxng: HTTP 500")):
        web.refuses = status
        with Run.create_or_resume(home / "run", chosen) as run, Study(run) as study:
            study.probe()
            with pytest.raises(SelfstudyError, match=said) as caught:
                study.gather()
            assert caught.value.exit_code == 2
            assert not run.round(1).finished("gather")
            for kind in (Verdict, Failure, Evidence):
                assert not run.round(1).read(kind)
    web.refuses = 200
    gathered(home / "run", chosen)
    with Run.open(home / "run", write=False) as run:
        assert run.round(1).finished("gather")
        assert len(run.round(1).read(Verdict)) == len(QUESTIONS)
        assert not run.round(1).read(Failure)


def test_a_quota_that_is_used_up_stops_the_stage_which_goes_on_later(home: Path, web: SmallWeb) -> None:
    chosen = recipe(home, web, web.source)
    answer = web.answer
    left = 3

    def limited(target: str) -> tuple[int, str, bytes]:
        nonlocal left
        if target.startswith("/search"):
            left -= 1
            if left < 0:
                return 402, "application/json", b"{}"
        return answer(target)

    web.answer = limited  # type: ignore[method-assign]
    with Run.create_or_resume(home / "run", chosen) as run, Study(run) as study:
        study.probe()
        with pytest.raises(SelfstudyError, match="searxng: HTTP 402") as caught:
            study.gather()
        assert "what is done is kept" in caught.value.hint
        assert len(run.round(1).read(Verdict)) == 2  # the first block
        assert not run.round(1).finished("gather")
    left = 99
    gathered(home / "run", chosen)
    with Run.open(home / "run", write=False) as run:
        assert len(run.round(1).read(Verdict)) == len(QUESTIONS)
        assert not run.round(1).read(Failure)
    assert left == 99 - 2  # three replies were kept
