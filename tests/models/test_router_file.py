"""router.json and router.npy: written through kills, and read as a stranger's."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfstudy.errors import ModelError
from selfstudy.files import jsonl
from selfstudy.models import router_file
from selfstudy.models.router_file import VECTORS, RoutedQuestion, RouterData
from selfstudy.models.taught import ROUTER, is_routed
from selfstudy.recipe import EmbedderBlock

VALUES = np.array([[1, 0], [0, 1]], dtype=np.float32)


def data(**changed: Any) -> RouterData:
    plain: dict[str, Any] = {
        "method": "nearest",
        "embedder": EmbedderBlock(),
        "fingerprint": "lexical",
        "dimension": 2,
        "adapters": ("asia-1",),
        "thresholds": {"asia-1": 0.5},
        "words": ("laos",),
        "questions": (RoutedQuestion(id="k"), RoutedQuestion(id="q", adapter=0, always=(0,))),
        "rows": (0, 1),
    }
    return RouterData(**plain | changed)


def test_is_read_as_it_was_written(tmp_path: Path) -> None:
    router_file.write(tmp_path, data(), VALUES)
    found, vectors = router_file.read(tmp_path)
    assert found.model_copy(update={"sha256": ""}) == data()
    assert vectors.tolist() == VALUES.tolist()
    assert is_routed(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [ROUTER, VECTORS]


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_kill_leaves_the_old_router_or_the_new_one(
    tmp_path: Path, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the first file, between the two, and before the vectors have their name."""
    router_file.write(tmp_path, data(), VALUES)
    left = [written]

    def killed(path: Path, content: bytes, run: Path | None) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        whole(path, content, run)

    whole = jsonl.replace
    monkeypatch.setattr(jsonl, "replace", killed)
    monkeypatch.setattr(Path, "replace", _killed_rename)
    smaller = data(questions=(RoutedQuestion(id="new"),), rows=(0,))
    with pytest.raises(KeyboardInterrupt):
        router_file.write(tmp_path, smaller, VALUES[:1])
    monkeypatch.undo()
    found, vectors = router_file.read(tmp_path)
    assert found.questions[0].id == ("new" if written == 2 else "k")
    assert len(vectors) == len(found.rows)
    router_file.write(tmp_path, smaller, VALUES[:1])
    assert router_file.read(tmp_path)[0].questions[0].id == "new"


def _killed_rename(self: Path, target: Path) -> None:
    if Path(target).name == VECTORS:
        raise KeyboardInterrupt
    self.rename(target)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"version": 2}, "is of version '2', and 1 is known"),
        ({"method": "oracle"}, "damaged: method"),
        ({"rows": [0, 2]}, "rows: of a question that is not there"),
        ({"rows": [0, -1]}, "damaged: rows"),
        ({"questions": [{"id": "k", "adapter": 1}] * 2}, "of an adapter that is not there"),
        ({"questions": [{"id": "k", "always": [7]}] * 2}, "a word that is not there"),
        ({"questions": [{"id": "k", "always": [0]}] * 2, "words": []}, "a word that is not there"),
        ({"rows": [0] * 70_000, "dimension": 16_384}, "more than 1,073,741,824 numbers"),
        ({"adapters": ["../x"], "thresholds": {"../x": 0.5}}, "names that are no names of folders"),
        ({"adapters": ["a", "a"], "thresholds": {"a": 0.5}}, "or twice there"),
        ({"thresholds": {}}, "not one for each adapter"),
        ({"thresholds": {"asia-1": None}}, "damaged: thresholds"),
        ({"margin": 1e300}, "damaged: margin"),
        ({"dimension": 10**12}, "damaged: dimension"),
        ({"code": "import os"}, "damaged: code"),
        ({"sha256": "0" * 64}, "does not belong to router.json"),
    ],
)
def test_damage_and_malice_are_told(tmp_path: Path, changed: dict[str, Any], expected: str) -> None:
    router_file.write(tmp_path, data(), VALUES)
    plain = json.loads((tmp_path / ROUTER).read_text())
    (tmp_path / ROUTER).write_text(json.dumps(plain | changed))
    with pytest.raises(ModelError, match=expected):
        router_file.read(tmp_path)


def test_a_key_of_any_length_makes_no_message_of_that_length(tmp_path: Path) -> None:
    router_file.write(tmp_path, data(), VALUES)
    plain = json.loads((tmp_path / ROUTER).read_text())
    (tmp_path / ROUTER).write_text(json.dumps(plain | {"k\x1b" * 100_000: 1}))
    with pytest.raises(ModelError) as told:
        router_file.read(tmp_path)
    assert len(str(told.value)) < 1000


def npy(values: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, **options)
    return buffer.getvalue()


def of_shape(*shape: int) -> bytes:
    """The numbers of `VALUES` below a header that promises others."""
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + VALUES.tobytes()


HOSTILE = {
    "NaN": npy(np.array([[1, np.nan], [0, 1]], dtype=np.float32)),
    "inf": npy(np.array([[1, np.inf], [0, 1]], dtype=np.float32)),
    "too large to be added up": npy(np.full((2, 2), 3e38, dtype=np.float32)),
    "of another shape": npy(np.zeros((3, 2), dtype=np.float32)),
    "of another type": npy(VALUES.astype(np.float64)),
    "a pickle": npy(np.array([[{}, 1], [2, 3]], dtype=object), allow_pickle=True),
    "cut": npy(VALUES)[:-4],
    "longer": npy(VALUES) + b"0000",
    "no file of numbers": b"router",
    "empty": b"",
    "of a huge shape": of_shape(10**9, 10**9),
    "of a negative shape": of_shape(-1, -4),
    "of one column": of_shape(4),
    "of what it has not": of_shape(2, 3),
    "by column": npy(np.asfortranarray(VALUES)),
    "with a header of code": npy(VALUES).replace(b"False", b"open(")[:128] + npy(VALUES)[128:],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_numbers_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    """Though router.json names their hash, as who writes both can."""
    content = HOSTILE[name]
    router_file.write(tmp_path, data(), VALUES)
    plain = json.loads((tmp_path / ROUTER).read_text())
    plain["sha256"] = hashlib.sha256(content).hexdigest()
    (tmp_path / ROUTER).write_text(json.dumps(plain))
    (tmp_path / VECTORS).write_bytes(content)
    with pytest.raises(ModelError, match=r"router\.npy"):
        router_file.read(tmp_path)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    router_file.write(tmp_path, data(), VALUES)
    with (tmp_path / VECTORS).open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(ModelError, match="cannot be read: it has 1,099,511,627,776 bytes"):
        router_file.read(tmp_path)


def test_what_is_no_router_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no router"):
        router_file.read(tmp_path)
    (tmp_path / ROUTER).write_text("[1]")
    with pytest.raises(ModelError, match="expected a JSON object"):
        router_file.read(tmp_path)
    router_file.write(tmp_path, data(), VALUES)
    (tmp_path / VECTORS).unlink()
    with pytest.raises(ModelError, match="it is not there"):
        router_file.read(tmp_path)
