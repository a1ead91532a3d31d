"""Vectors of texts: equal to one text at a time by transformers, in batches that fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from selfstudy.errors import ModelError
from selfstudy.models.text_vectors import TextVectors

TEXTS = ["Paris is the capital of France.", "Vienna", "The Danube flows through Vienna. " * 3, "Vienna"]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_vector_is_the_state_at_the_last_token(kind: str, model_folder: Callable[..., Path]) -> None:
    folder = model_folder(kind)
    vectors = TextVectors(str(folder), "cpu")
    model = AutoModel.from_pretrained(folder).eval()
    expected = []
    for text in TEXTS:
        inputs = vectors._tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            expected.append(model(**inputs).last_hidden_state[0, -1].double().numpy())
    done: list[int] = []
    found = vectors.encode(TEXTS, done.append)
    assert found == pytest.approx(np.array(expected), abs=1e-4)
    assert sum(done) == len(TEXTS)
    assert np.ptp(found, axis=0).max() > 0.1
    vectors._budget = 1
    assert vectors.encode(TEXTS) == pytest.approx(found, abs=1e-4)


def test_odd_texts(model_folder: Callable[..., Path]) -> None:
    vectors = TextVectors(str(model_folder("gpt2")), "cpu")
    assert vectors.encode([]).shape == (0, 32)
    found = vectors.encode(["", "\ud800", "word " * 3000, "word " * 256])
    assert not found[0].any()
    assert np.isfinite(found).all()
    assert found[2] == pytest.approx(vectors.encode(["word " * 2000])[0], abs=1e-4), "the first tokens count"


def test_what_is_no_model_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config.json"):
        TextVectors(str(tmp_path))
