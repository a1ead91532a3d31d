from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfstudy.probe import topics
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask

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
