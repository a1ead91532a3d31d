from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfstudy.errors import DataError
from selfstudy.probe import topics
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


def test_external_topics_skip_blanks_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "titles.txt"
    path.write_text("\ufeff# trends of a day\n\n Solar eclipse \r\nWorld Cup\n", encoding="utf-8")
    source = topics.FileTopics(path)
    assert source.topics(0, 5) == [("Solar eclipse",), ("World Cup",)]
    assert source.topics(1, 5) == [("World Cup",)]
    assert source.topics(2, 5) == []


@pytest.mark.parametrize("content", [None, b"", b"# only a comment\n", b"\xff\xfe\xfa"])
def test_unusable_topic_files_name_the_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "titles.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"titles\.txt"):
        topics.FileTopics(path)


def test_a_method_without_its_source_says_what_to_give() -> None:
    with pytest.raises(DataError, match="one topic a line"):
        topics.FileTopics(None)
    with pytest.raises(DataError, match="lemma<TAB>definition"):
        topics.OracleTopics(None, Spots(), 0)


def vocabulary(path: Path, count: int = 40) -> Path:
    path.write_text("".join(f"noun_{i}\tthe thing number {i}\n" for i in range(count)), encoding="utf-8")
    return path


def test_oracle_topics_are_near_a_random_point(tmp_path: Path) -> None:
    source = topics.OracleTopics(vocabulary(tmp_path / "nouns.tsv"), Spots(), seed=3)
    sets = source.topics(0, 20)
    assert all(len(set(found)) == 3 for found in sets)
    assert len(set(sets)) > 15
    assert sets[7:9] == source.topics(7, 2), "a set depends on its number alone"
    assert sets != topics.OracleTopics(tmp_path / "nouns.tsv", Spots(), seed=4).topics(0, 20)


def test_oracle_takes_the_whole_vocabulary_when_it_is_ten(tmp_path: Path) -> None:
    source = topics.OracleTopics(vocabulary(tmp_path / "nouns.tsv", 10), Spots(), seed=3)
    assert {name for found in source.topics(0, 60) for name in found} == {f"noun {i}" for i in range(10)}


@pytest.mark.parametrize(
    ("content", "why"), [("one\ttwo\n", "1 entries"), ("no definition\n", "no definition")]
)
def test_bad_vocabularies(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "nouns.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=why):
        topics.OracleTopics(path, Spots(), 0)


def test_nearest_and_l1_by_hand() -> None:
    rows = topics.l1_normalise(np.array([[1.0, 1.0], [3.0, -1.0], [0.0, 0.0], [0.0, 2.0]]))
    assert rows.tolist() == [[0.5, 0.5], [0.75, -0.25], [0.0, 0.0], [0.0, 1.0]]
    assert topics.nearest(rows, np.array([0.0, 0.9]), 2).tolist() == [3, 0]


def test_nearest_is_exact() -> None:
    rng = np.random.default_rng(0)
    rows, point = (
        topics.l1_normalise(rng.normal(size=(500, 8))),
        topics.l1_normalise(rng.normal(size=(1, 8)))[0],
    )
    brute = np.argsort(np.linalg.norm(rows - point, axis=1), kind="stable")[:10]
    assert topics.nearest(rows, point, 10).tolist() == brute.tolist()


def test_topic_of() -> None:
    assert topics.topic_of("Where is Peru?", ("Chile", "Peru")) == "Peru"
    assert topics.topic_of("Where?", ("Chile", "Peru")) == "Chile, Peru"
