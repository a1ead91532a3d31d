from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.errors import DataError
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.probe import vocabulary

from .world import Spots

ENTRIES = [(f"noun {i}", f"the thing number {i}") for i in range(40)]


class Counted(Spots):
    """Knows how many texts it has embedded."""

    fingerprint = "spots"

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> Any:
        self.texts += texts
        return super().encode(texts)


def test_a_file_of_lines_and_one_of_wordnet_are_told_apart(tmp_path: Path) -> None:
    lines = tmp_path / "nouns.tsv"
    lines.write_text("# mine\nsea_lion\ta  seal\n", encoding="utf-8")
    (tmp_path / "data.noun").write_text("00000001 03 n 01 sea_cow 0 000 | a sirenian  \n", encoding="utf-8")
    assert vocabulary.read_vocabulary(lines) == [("sea lion", "a  seal")]
    assert (
        vocabulary.read_vocabulary(tmp_path / "data.noun")
        == vocabulary.read_vocabulary(tmp_path)
        == [("sea cow", "a sirenian")]
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [("no definition\n", "no definition"), ("\t\n", "no line"), ("a\t \n", "no definition")],
)
def test_bad_vocabularies(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "nouns.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=rf"nouns\.tsv.*{why}"):
        vocabulary.read_vocabulary(path)


def test_rows_are_the_embedded_entries_and_are_kept(tmp_path: Path) -> None:
    embedder, told = Counted(), []
    rows = vocabulary.embedded(ENTRIES, embedder, tmp_path, told.append)
    assert embedder.texts[3] == "noun 3 ### the thing number 3"
    assert rows.dtype == np.float32
    assert rows.shape == (40, 16)
    assert np.allclose(rows, vocabulary.l1_normalise(Spots().encode(embedder.texts)))
    assert np.allclose(np.abs(rows).sum(axis=1), 1, atol=1e-6)
    again = vocabulary.embedded(ENTRIES, embedder, tmp_path, told.append)
    assert np.array_equal(again, rows)
    assert len(embedder.texts) == 40, "not embedded again"
    assert told == [40, 40]
    assert not list(tmp_path.glob("*.tmp"))


def test_other_entries_and_other_embedders_have_other_files(tmp_path: Path) -> None:
    other = Counted()
    other.fingerprint = "other spots"
    vocabulary.embedded(ENTRIES, Counted(), tmp_path)
    vocabulary.embedded(ENTRIES[:30], Counted(), tmp_path)
    vocabulary.embedded(ENTRIES, other, tmp_path)
    assert len(other.texts) == 40
    assert len(list(tmp_path.glob("*.npy"))) == 3


def test_other_weights_behind_the_same_name_have_another_file(tmp_path: Path) -> None:
    for weights, name, embedded in (("a", "folder", 40), ("b", "folder", 40), ("a", "moved", 0)):
        embedder = Counted()
        embedder.name, embedder.fingerprint = name, weights
        vocabulary.embedded(ENTRIES, embedder, tmp_path)
        assert len(embedder.texts) == embedded


def cut(data: bytes, at: int) -> bytes:
    return data[:at]


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@settings(max_examples=40)
@given(st.sampled_from([cut, flip]), st.floats(0, 1, exclude_max=True))
def test_a_torn_or_damaged_file_is_made_again(
    tmp_path_factory: pytest.TempPathFactory, harm: Any, where: float
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    whole = vocabulary.embedded(ENTRIES, Spots(), folder)
    (path,) = folder.glob("*.npy")
    data = path.read_bytes()
    path.unlink()  # `whole` is mapped from it
    path.write_bytes(harm(data, int(where * len(data))))
    embedder = Counted()
    logging.disable(logging.WARNING)
    assert np.array_equal(vocabulary.embedded(ENTRIES, embedder, folder), whole)
    logging.disable(logging.NOTSET)
    assert len(embedder.texts) in (0, 40)
    if embedder.texts:
        assert path.read_bytes() == data
    else:  # a bit of the header's padding, or "=f4" for "<f4": the same rows
        assert path.read_bytes()[128:] == data[128:]


def test_several_at_once_get_the_same(tmp_path: Path) -> None:
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(vocabulary.embedded(ENTRIES, Spots(), tmp_path)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(np.array_equal(rows, found[0]) for rows in found)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


def test_a_folder_that_cannot_be_written_costs_only_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    rows = vocabulary.embedded(ENTRIES, Spots(), tmp_path / "file" / "cache")
    assert rows.shape == (40, 16)
    assert "cannot be kept" in caplog.text


def test_the_embedder_without_weights_works(tmp_path: Path) -> None:
    rows = vocabulary.embedded(ENTRIES, LexicalEmbedder(), tmp_path)
    assert rows.shape == (40, 1024)


def test_l1_and_nearest_by_hand() -> None:
    rows = vocabulary.l1_normalise(np.array([[1, 1], [3, -1], [0, 0], [0, 2]], dtype=np.float32))
    assert rows.tolist() == [[0.5, 0.5], [0.75, -0.25], [0.0, 0.0], [0.0, 1.0]]
    point = np.array([[0.0, 0.9]], dtype=np.float32)
    assert vocabulary.nearest(rows, vocabulary.square_norms(rows), point, 2).tolist() == [[3, 0]]


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(10, 400), st.integers(2, 40), st.integers(1, 6))
def test_nearest_is_exact_with_ties_by_index(seed: int, count: int, dimension: int, several: int) -> None:
    rng = np.random.default_rng(seed)
    rows = vocabulary.l1_normalise(rng.normal(size=(count, dimension)).astype(np.float32))
    rows[rng.integers(0, count, count // 4)] = rows[0]
    points = vocabulary.l1_normalise(rng.normal(size=(several, dimension)).astype(np.float32))
    found = vocabulary.nearest(rows, vocabulary.square_norms(rows), points, 10)
    for point, near in zip(points.astype(np.float64), found, strict=True):
        distance = ((rows.astype(np.float64) - point) ** 2).sum(axis=1)
        assert near.tolist() == np.argsort(distance, kind="stable")[:10].tolist()
