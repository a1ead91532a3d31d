from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.probe import topics
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import STDIN, Ask, Recipe
from selfstudy.run import Run

from .world import COUNTRIES, Spots, Student


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1. Chile\n2. Peru\n3. Fiji\n4. Oman", ("Chile", "Peru", "Fiji")),
        ("- Chile\n\n- Peru", ("Chile", "Peru")),
        ("Chile, Peru, Fiji.", ("Chile", "Peru", "Fiji")),
        ("Chile", ("Chile",)),
        ('* "Chile"\n* Chile', ("Chile",)),
        ("1) 1984\n2) 2 Kings", ("1984", "2 Kings")),
        ("\n , ,\n", ()),
        ("", ()),
        ("Chi\ud800le", ("Chi\ufffdle",)),
    ],
)
def test_parse_topics(said: str, expected: tuple[str, ...]) -> None:
    assert topics.parse_topics(said) == expected


def test_model_topics_repeat_for_a_seed_and_differ_between_stretches() -> None:
    source = topics.ModelTopics(Student(), Prompts(), Ask(method="open", count=5), seed=1)
    assert source.topics(0, 5) == source.topics(0, 5)
    assert source.topics(0, 5) != source.topics(5, 5)
    assert all(len(found) == 3 and set(found) <= set(COUNTRIES) for found in source.topics(0, 5))


def test_a_failed_completion_is_an_empty_set() -> None:
    source = topics.ModelTopics(
        Student(broken="three topics"), Prompts(), Ask(method="open", count=2), seed=1
    )
    assert source.topics(0, 2) == [(), ()]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as opened:
        yield opened


def external(source: Path | None, count: int = 5) -> Ask:
    return Ask(method="external", count=count, source=source)


def titles(folder: Path, content: bytes) -> Path:
    path = folder / "titles.txt"
    path.write_bytes(content)
    return path


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))


def test_external_topics_skip_blanks_and_comments(tmp_path: Path, run: Run) -> None:
    path = titles(tmp_path, b"\xef\xbb\xbf# trends of a day\n\n Solar eclipse \r\nWorld Cup\n")
    source = topics.ListTopics(topics.external_lines(external(path), 0, run))
    assert source.topics(0, 5) == [("Solar eclipse",), ("World Cup",)]
    assert source.topics(1, 5) == [("World Cup",)]
    assert source.topics(2, 5) == []


@pytest.mark.parametrize("content", [None, b"", b"# only a comment\n", b"\xff\xfe\xfa"])
def test_unusable_topic_files_name_the_file(tmp_path: Path, run: Run, content: bytes | None) -> None:
    path = tmp_path / "titles.txt" if content is None else titles(tmp_path, content)
    with pytest.raises(DataError, match=r"titles\.txt"):
        topics.external_lines(external(path), 0, run)


def test_a_method_without_its_source_says_what_to_give(run: Run) -> None:
    with pytest.raises(DataError, match="one topic a line"):
        topics.external_lines(external(None), 0, run)


def test_stdin_is_read_once_and_kept_in_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, "Perú\n\nFiji\nOman\n".encode())
    assert topics.external_lines(external(STDIN, 2), 0, run) == ["Perú", "Fiji"]
    pipe(monkeypatch, b"something else\n")
    assert topics.external_lines(external(STDIN, 2), 0, run) == ["Perú", "Fiji"]


@pytest.mark.parametrize(("content", "why"), [(b" \n", "no line"), (b"\xff", "not UTF-8")])
def test_unusable_stdin(run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes, why: str) -> None:
    pipe(monkeypatch, content)
    with pytest.raises(DataError, match=why):
        topics.external_lines(external(STDIN), 0, run)


def test_stdin_that_nothing_is_piped_into_is_refused_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = os.openpty()
    with os.fdopen(follower, encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        with pytest.raises(DataError, match=r"nothing is piped in[\s\S]*selfstudy probe"):
            topics.external_lines(external(STDIN), 0, run)
    os.close(leader)


@pytest.mark.parametrize("source", [None, STDIN])
def test_a_function_gives_topics_once_and_may_have_no_end(run: Run, source: Path | None) -> None:
    calls = []

    def feed() -> Iterator[str]:
        calls.append(1)
        yield from (" Solar\neclipse ", "", "# not a comment here")
        while True:
            yield "World Cup"

    expected = ["Solar eclipse", "# not a comment here", "World Cup", "World Cup", "World Cup"]
    assert topics.external_lines(external(source), 0, run, feed) == expected
    assert topics.external_lines(external(source), 0, run, feed) == expected
    assert len(calls) == 1


@pytest.mark.parametrize(("given", "why"), [([], "no entry"), (["a", 3], "3, a int"), ([b"a"], "bytes")])
def test_what_a_function_must_not_give(run: Run, given: list[str], why: str) -> None:
    with pytest.raises(DataError, match=why):
        topics.external_lines(external(STDIN), 0, run, lambda: given)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))


def nouns(path: Path, count: int = 40) -> Path:
    path.write_text("".join(f"noun_{i}\tthe thing number {i}\n" for i in range(count)), encoding="utf-8")
    return path


def test_oracle_topics_are_near_a_random_point(tmp_path: Path) -> None:
    source = topics.OracleTopics(nouns(tmp_path / "nouns.tsv"), Spots(), seed=3)
    sets = source.topics(0, 150)
    assert all(len(set(found)) == 3 for found in sets)
    assert len(set(sets)) > 100
    assert sets[70:72] == source.topics(70, 2), "a set depends on its number alone"
    assert sets != topics.OracleTopics(tmp_path / "nouns.tsv", Spots(), seed=4).topics(0, 150)


def test_oracle_takes_the_whole_vocabulary_when_it_is_ten(tmp_path: Path) -> None:
    source = topics.OracleTopics(nouns(tmp_path / "nouns.tsv", 10), Spots(), seed=3)
    assert {name for found in source.topics(0, 60) for name in found} == {f"noun {i}" for i in range(10)}


def test_a_lemma_is_drawn_once_whatever_its_senses(tmp_path: Path) -> None:
    path = tmp_path / "nouns.tsv"
    senses = [f"bank\tsense {i}" for i in range(8)] + ["river\ta stream", "money\ta means of payment"]
    path.write_text("\n".join(senses), encoding="utf-8")
    sets = topics.OracleTopics(path, Spots(), seed=3).topics(0, 10)
    assert all(sorted(found) == ["bank", "money", "river"] for found in sets)


def test_embedding_the_vocabulary_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []

    class Ear(Silent):
        @contextmanager
        def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
            done = 0

            def advance(count: int) -> None:
                nonlocal done
                done += count

            yield advance
            assert done == total
            told.append((label, total))

    topics.OracleTopics(nouns(tmp_path / "nouns.tsv"), Spots(), 3, Ear()).topics(0, 1)
    assert told == [("embedding the vocabulary", 40)]


def test_topic_of() -> None:
    assert topics.topic_of("Where is Peru?", ("Chile", "Peru")) == "Peru"
    assert topics.topic_of("Where?", ("Chile", "Peru")) == "Chile, Peru"
