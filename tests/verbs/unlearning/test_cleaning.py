"""Nothing of the source is left in any file of the run; everything else is."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files import own
from selfstudy.library.index import Library
from selfstudy.library.index_bucket import IndexBucket
from selfstudy.library.web import kept_pages
from selfstudy.library.web.fetched import Fetched
from selfstudy.recipe.library import folder_library
from selfstudy.records import (
    Answer,
    Check,
    Document,
    Evidence,
    Example,
    Failure,
    Pair,
    Proposal,
    Question,
    Reference,
    Rewording,
    Score,
    TrainedItem,
    Verdict,
)
from selfstudy.run import Run, changes
from selfstudy.verbs.unlearning.cleaning import Cleaned, Cleaning, kinds
from selfstudy.verbs.unlearning.resting import Sources, resting
from tests.library.s3_server import BUCKET, s3_server

from .small_run import ASKED, CHILE, DOCUMENTS, IDS, OF_PERU, PAGES, PERU, SECRET, SHARED, chat, made


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.open(made(tmp_path / "run")) as run:
        yield run


def clean(run: Run, pattern: str = PERU) -> Cleaned:
    sources = Sources(pattern)
    return Cleaning(run, sources, resting(run, sources)).clean()


def everything(run: Run) -> str:
    return "\n".join(
        path.read_bytes().decode("utf-8", "replace") for path in run.path.rglob("*") if path.is_file()
    )


def test_all_types_of_records_are_known() -> None:
    assert {Document, Evidence, Check, TrainedItem, Proposal} < set(kinds())


def test_every_record_of_it_goes_and_every_other_stays(run: Run) -> None:
    cleaned = clean(run)
    said = everything(run)
    for gone in (SECRET, "Lima", "treasure", "oak", *OF_PERU, PERU):
        assert gone not in said, gone
    for stays in (SHARED, "Santiago", CHILE, "Something else?"):
        assert stays in said
    for round_ in run.rounds:
        for kind in (Question, Evidence, Reference, Answer, Score, Verdict, Rewording, Pair, Check):
            assert len(round_.read(kind)) == 2, kind
        assert len(round_.read(Document)) == 1
        assert len(round_.read(TrainedItem)) == len(round_.read(Failure)) == 2
        assert [one.kind for one in round_.read(Example)] == ["reference", "reference"]
    assert cleaned.records["questions.jsonl"] == 4
    assert cleaned.quoting == 2  # the neutral example of each round
    assert cleaned.left == []


def test_the_place_of_a_proposal_stays_taken(run: Run) -> None:
    clean(run)
    first, *_, last = run.round(1).read(Proposal)
    assert (first.index, first.text, first.question_id, first.error) == (0, "", None, "forgotten")
    assert last.question_id == IDS["How dry are the deserts of Chile?"]


def test_finished_stages_stay_finished_when_a_line_is_torn_later(run: Run) -> None:
    """A marker that counted the bytes of before would take the records that went for lost."""
    path = run.path
    clean(run)
    run.close()
    with (path / "rounds/1" / Question.file).open("ab") as file:
        file.write(b'{"id": "torn')
    with Run.open(path) as again:
        assert all(again.round(1).finished(stage) for stage in ("probe", "gather", "teach", "verify"))


def test_cleaning_again_changes_nothing(run: Run) -> None:
    sources = Sources(PERU)
    found = resting(run, sources)
    Cleaning(run, sources, found).clean()
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    again = Cleaning(run, sources, found).clean()
    assert not again.records
    assert before == {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def test_a_question_whose_own_answer_quotes_it_goes_as_a_whole(run: Run) -> None:
    """Or records would name others that are gone."""
    question = Question(text="Is there anything under trees?")
    run.round(1).append([question, Verdict(question_id=question.id, kind="unverifiable", score=0.1)])
    with pytest.raises(StopIteration):
        next(one for one in run.round(1).iter(Answer) if one.question_id == question.id)
    said = run.round(1).read(Answer)[0].passage.model_copy(update={"text": f"I think: {SECRET}"})
    run.round(1).append([Answer(question_id=question.id, passage=said, samples=())])
    cleaned = clean(run)
    assert question.id not in everything(run)
    assert cleaned.quoting == 3


def test_files_of_what_was_given_and_found(run: Run) -> None:
    key = [{"question": text, "answers": [answer]} for text, (_, answer, _) in ASKED.items()]
    run.answer_key_file.write_text("".join(json.dumps(row) + "\n" for row in key))
    run.write_json(run.imported_file, {"rows": [SECRET, "x"], "deep": {"a": {"b": [1, SECRET]}}, "n": 1})
    clean(run)
    assert len(run.answer_key_file.read_text().splitlines()) == 2
    assert run.read_json(run.imported_file) == {"rows": ["x"], "deep": {"a": {"b": [1]}}, "n": 1}
    assert run.read_json(run.kept_apart_file) == {"questions": sorted(set(IDS.values()) - OF_PERU)}
    lines = (run.read_json(run.external_file(0)) or {})["lines"]
    assert lines == ["What is the capital of Chile?", "How dry are the deserts of Chile?", "Something else?"]


def test_of_the_library_no_hash_of_it_stays(run: Run) -> None:
    changes.keep_seen(run, {PERU: "1" * 16, CHILE: "2" * 16})
    changes.begin(run.round(2), changes.Changes(changed={PERU: "1" * 16, CHILE: "2" * 16}))
    clean(run)
    assert changes.seen(run) == {CHILE: "2" * 16}
    assert changes.changes_of(run.round(2)) == changes.Changes(changed={CHILE: "2" * 16})


def test_what_was_given_of_logs_round_by_round(run: Run) -> None:
    rounds = [{"round": 1, "lines": [*ASKED]}, {"round": 2, "lines": ["Something else?"]}]
    run.write_json(run.external_file(1), {"rounds": rounds})
    clean(run)
    left = [text for text in ASKED if IDS[text] not in OF_PERU]
    assert run.read_json(run.external_file(1)) == {
        "rounds": [{"round": 1, "lines": left}, {"round": 2, "lines": ["Something else?"]}]
    }


def test_what_is_made_again_is_deleted(run: Run) -> None:
    own.make(run.library_folder)
    (run.library_folder / "passages").write_text(SECRET)
    for folder, name in ((run.shards_folder, "001-of-002"), (run.slurm_folder, "02-shard-1.1.log")):
        own.make(folder)
        (folder / name).write_text(SECRET)
    for side in ("-wal", ".damaged"):
        run.nli_cache.with_name(run.nli_cache.name + side).write_text(SECRET)
    clean(run)
    gone = (run.summary_file, run.report_file, run.library_folder, *run.nli_cache.parent.iterdir())
    gone += (run.shards_folder, run.slurm_folder / "02-shard-1.1.log")
    assert not any(path.exists() for path in gone)


def test_an_index_that_others_use_too_goes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    place = IndexBucket(f"s3://{BUCKET}/libraries")
    block = folder_library("south").model_copy(update={"index": f"s3://{BUCKET}/libraries"})
    run.recipe = run.recipe.model_copy(update={"library": block})
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        for documents in (list(DOCUMENTS.values()), [DOCUMENTS[CHILE]]):
            Library.build(documents, place, chunk_tokens=64)
        clean(run)
        left = b"".join(server.objects.values())
        assert b"Santiago" in left
        assert b"Lima" not in left


def fetch(pages: kept_pages.KeptPages, url: str, body: bytes, of: str = "page") -> str:
    digest = hashlib.sha256(body).hexdigest()
    pages.keep(
        Fetched(url, url, 200, "text/html", body, digest, "2026-11-28T00:00:00Z", False),
        of,
        "2026-11-28T00:00:00Z",
    )
    return digest


def test_fetched_pages_and_replies_that_name_or_quote_them(run: Run) -> None:
    pages = kept_pages.KeptPages(run.fetched_folder, run.path)
    page = "Only this page says so about the gold."
    shared = b"<p>Two addresses lead here.</p>"
    gone = [
        fetch(pages, "https://a.example/peru", f"<p>{page}</p>".encode()),
        fetch(pages, "https://search.example/?q=1", b'{"url": "https://a.example/peru"}', "ask"),
        fetch(pages, "https://mirror.example/", f"<b>{page}</b>".encode()),
    ]
    stay = [
        fetch(pages, "https://b.example/", b"<p>Another page altogether, of somebody else.</p>"),
        fetch(pages, "https://search.example/?q=2", b'{"url": "https://b.example/"}', "ask"),
        fetch(pages, "https://b.example/two", shared),
    ]
    assert fetch(pages, "https://a.example/two", shared) == stay[2]
    run.round(1).append([Document(source="https://a.example/peru", text=page, fetched="2026")])
    clean(run, "a.example")
    there = {path.name for path in (run.fetched_folder / kept_pages.BODIES).rglob("*") if path.is_file()}
    assert there == set(stay)
    assert not set(gone) & there
    lines = (run.fetched_folder / kept_pages.LINES).read_text()
    assert "a.example" not in lines
    assert lines.count("\n") == 3
    assert kept_pages.KeptPages(run.fetched_folder).find("https://b.example/", "page") is not None


def test_a_file_that_is_none_of_ours_is_told_and_left(run: Run) -> None:
    database = run.path / "mine.sqlite"
    with sqlite3.connect(database) as open_:
        open_.execute("CREATE TABLE t (a TEXT)")
        open_.execute("INSERT INTO t VALUES (?)", (SECRET,))
    open_.close()
    (run.path / "notes.json").write_text(said := json.dumps([SECRET]))
    assert sorted(clean(run).left) == [database, run.path / "notes.json"]
    assert database.exists()
    assert (run.path / "notes.json").read_text() == said


def test_a_file_of_ours_that_cannot_be_cleaned_is_an_error(run: Run) -> None:
    (run.round(1).path / "more.jsonl").write_text(json.dumps({"a": SECRET}) + "\n")
    with pytest.raises(RunError, match=r"more\.jsonl still quotes"):
        clean(run)


def test_a_question_about_two_pages_goes_with_its_examples_that_show_the_other(run: Run) -> None:
    shown = Example(
        prompt=chat(PAGES[CHILE]), completion="x", question_id=next(iter(OF_PERU)), kind="reading"
    )
    run.round(1).append([shown])
    clean(run)
    assert shown.id not in run.round(1).ids(Example)
