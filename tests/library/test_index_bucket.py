"""An index on a local S3 server: the hits of one on disk, whoever else builds, kills or writes there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from selfstudy.atlas import language, world
from selfstudy.errors import DataError, RunError
from selfstudy.library import index_bucket
from selfstudy.library.index import Library
from selfstudy.library.index_bucket import PUBLISHED, IndexBucket
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.records import Document
from tests.library.s3_server import BUCKET, KEY, SECRET, S3Server, s3_server

URL = f"s3://{BUCKET}/libraries/mine"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return world.documents()


SOME = [
    Document(source="a.txt", title="Zebras", text="The zebra sleeps."),
    Document(source="b.txt", title="Lions", text="The lion eats. It also sleeps."),
]


def build(documents: Sequence[Document] = SOME, url: str = URL, tokens: int = 64, **given: Any) -> Library:
    return Library.build(documents, IndexBucket(url), chunk_tokens=tokens, **given)


def names(s3: S3Server, url: str = URL) -> list[str]:
    """Tables that are there."""
    prefix = url.removeprefix(f"s3://{BUCKET}/") + "/"
    found = {key.removeprefix(prefix).partition(".lance/")[0] for key in s3.objects if key.startswith(prefix)}
    return sorted(found)


@pytest.mark.parametrize(("hybrid", "every"), [(False, 40), (True, 200)], ids=["words", "hybrid"])
def test_the_hits_are_those_of_an_index_on_disk(
    hybrid: bool, every: int, s3: S3Server, tmp_path: Path, documents: list[Document]
) -> None:
    embedder = LexicalEmbedder() if hybrid else None
    questions = [language.wordings(f.attribute, f.entity)[0] for f in world.facts()[::every]]
    on_disk = Library.build(documents, tmp_path / "index", chunk_tokens=512, embedder=embedder)
    built = build(documents, tokens=512, embedder=embedder)
    opened = build(documents, tokens=512, embedder=embedder)
    found = on_disk.find(questions, 5)
    assert sum(map(len, found)) > 3 * len(questions)
    assert built.find(questions, 5) == found
    assert opened.find(questions, 5) == found


def test_only_what_was_built_of_the_same_is_opened(s3: S3Server) -> None:
    build()
    writes = [one for one in s3.asked if one.startswith("PUT")]
    build()
    assert [one for one in s3.asked if one.startswith("PUT")] == writes
    build(SOME[:1])
    build(tokens=9)
    build(embedder=LexicalEmbedder())
    assert len(names(s3)) == 8
    assert build(SOME[:1]).find(["lion"], 3) == [[]]
    assert [hit.source for hit in build().find(["sleeps"], 3)[0]] == ["a.txt", "b.txt"]


def test_of_two_who_build_the_same_the_first_stands(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one finishes while the first is about to publish."""
    publish = IndexBucket._publish
    calls: list[str] = []

    def late(self: IndexBucket, *given: Any) -> Any:
        calls.append("")
        if len(calls) == 1:
            build()
        return publish(self, *given)

    monkeypatch.setattr(IndexBucket, "_publish", late)
    assert build().find(["zebra"], 1)[0][0].source == "a.txt"
    assert len(calls) == 2
    assert len(names(s3)) == 2  # the table of the one, and what says so


_BUILDER = """
import sys
from tests.library.test_index_bucket import SOME, URL
from selfstudy.library.index import Library
from selfstudy.library.index_bucket import IndexBucket

class Slow(IndexBucket):
    def _publish(self, *given):
        print("written", flush=True)
        sys.stdin.read()

Library.build(SOME, Slow(URL), chunk_tokens=64)
"""


def test_what_a_kill_leaves_is_not_used_and_goes_a_day_later(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", _BUILDER]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **s3.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    left = names(s3)
    assert len(left) == 1
    assert build().find(["zebra"], 1)[0][0].source == "a.txt"
    assert set(left) < set(names(s3))  # somebody may be building it
    s3.objects = {key: body for key, body in s3.objects.items() if PUBLISHED not in key}
    now = time.time()
    monkeypatch.setattr(index_bucket.time, "time", lambda: now + 90_000)
    build()
    assert len(names(s3)) == 2
    assert not set(left) & set(names(s3))


def test_a_build_that_fails_leaves_nothing(s3: S3Server) -> None:
    class Small(LexicalEmbedder):
        def encode(self, texts: Sequence[str]) -> Any:
            raise RuntimeError("CUDA out of memory")

    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        build(embedder=Small())
    with pytest.raises(DataError, match="no text"):
        build([])
    assert s3.objects == {}
    s3.refuses = {"PUT"}
    with pytest.raises(RunError, match="may not do that"):
        build()


def test_a_table_that_is_gone_is_written_again(s3: S3Server) -> None:
    build()
    s3.objects = {key: body for key, body in s3.objects.items() if PUBLISHED in key}
    assert build().find(["zebra"], 1)[0][0].source == "a.txt"
    assert len(names(s3)) == 2


def test_a_passage_that_is_in_no_document_is_not_taken(s3: S3Server) -> None:
    """Somebody who may write to the bucket builds under the name of our documents."""
    build([one.model_copy(update={"text": one.text.replace("sleeps", "flies")}) for one in SOME])
    library = build()
    with pytest.raises(DataError, match="in none of its documents"):
        library.find(["zebra"], 1)


@pytest.mark.parametrize(
    "said",
    [
        {"title": None},
        {"title": 5},
        {"passage": None},
        {"source": None},
        {"start": -1},
        {"text": "", "end": 0},
    ],
    ids=str,
)
def test_a_row_of_other_kinds_is_not_taken(said: dict[str, Any], s3: S3Server) -> None:
    """Somebody who may write there has put something else into a column."""
    from lancedb.index import FTS

    library = build()
    database = IndexBucket(URL)._database
    (name,) = [one for one in names(s3) if not one.startswith(PUBLISHED)]
    rows = database.open_table(name).to_arrow().to_pylist()
    database.drop_table(name)
    table = database.create_table(name, [{**row, **said} for row in rows if row["source"] == "a.txt"])
    table.create_index("search", config=FTS())
    del library
    with pytest.raises(DataError, match="in none of its documents"):
        build().find(["zebra"], 1)


def test_an_index_that_is_deleted_while_it_is_used_says_so(s3: S3Server) -> None:
    library = build()
    s3.objects.clear()
    with pytest.raises(RunError, match="somebody has deleted it\n  -> give the same command again"):
        library.find(["zebra"], 1)
    assert build().find(["zebra"], 1)[0][0].source == "a.txt"


def test_a_row_of_another_identity_is_refused(s3: S3Server) -> None:
    build()
    published = next(one for one in names(s3) if one.startswith(PUBLISHED))
    build(SOME[:1])
    other = next(one for one in names(s3) if one.startswith(PUBLISHED) and one != published)
    s3.objects = {
        **{key: body for key, body in s3.objects.items() if f"/{published}.lance" not in key},
        **{k.replace(other, published): b for k, b in s3.objects.items() if f"/{other}.lance" in k},
    }
    with pytest.raises(RunError, match="not as selfstudy wrote it"):
        build()


def test_what_holds_a_forgotten_source_goes(s3: S3Server) -> None:
    build()
    build(SOME[:1])
    other = f"s3://{BUCKET}/libraries/other"
    build(url=other)
    assert IndexBucket(URL).forget({"b.txt"}) == 1
    assert len(names(s3)) == 2
    assert not any(b"The lion eats" in body for key, body in s3.objects.items() if "/mine/" in key)
    assert len(names(s3, other)) == 2
    assert IndexBucket(URL).forget({"b.txt"}) == 0
    assert build(SOME[:1]).find(["zebra"], 1)[0][0].source == "a.txt"


def test_what_a_kill_has_left_unfinished_is_forgotten_too(s3: S3Server) -> None:
    """It cannot be read, so that nobody knows what it holds."""
    build(SOME[:1])
    left = f"libraries/mine/passages-{'0' * 16}-1-{'0' * 16}.lance/data/x.lance"
    s3.objects[left] = b"The lion eats."
    assert IndexBucket(URL).forget({"b.txt"}) == 1
    assert left not in s3.objects
    assert len(names(s3)) == 2


def test_more_tables_than_can_be_looked_through_are_not_called_clean(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    build(SOME[:1])
    monkeypatch.setattr(index_bucket, "_MOST", 3)
    with pytest.raises(RunError, match="too many to look through"):
        IndexBucket(URL).forget({"b.txt"})


def test_what_is_wrong_is_said_with_the_next_step(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(url: str = URL) -> str:
        with pytest.raises(RunError) as caught:
            build(url=url)
        message = str(caught.value)
        assert not any(part in message for part in (KEY, SECRET, s3.url, "lance"))
        return message

    assert "there is no such bucket\n  -> make the bucket" in said("s3://no-such-bucket/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "does not answer\n  -> check AWS_ENDPOINT_URL" in said()
