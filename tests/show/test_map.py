"""The knowledge map: bounded, the same every time, and neighbours stay neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from selfstudy.models import load_embedder
from selfstudy.recipe import EmbedderBlock
from selfstudy.show import map as knowledge_map
from selfstudy.show.map import layout

EMBEDDER = load_embedder(EmbedderBlock())


def questions(count: int) -> list[str]:
    kinds = (
        "What is the capital of place {}?",
        "Which currency has region {}?",
        "Who borders {} to the north?",
    )
    return [kinds[i % 3].format(i // 3) for i in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 40])
def test_every_size_has_positions_in_the_unit_square(count: int) -> None:
    found = layout(questions(count), EMBEDDER)
    assert found.shape == (count, 2)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_equal_and_empty_texts_are_placed() -> None:
    for texts in (["same"] * 20, [""] * 20, ["a", "", "a"] * 5):
        assert np.isfinite(layout(texts, EMBEDDER)).all()


@pytest.mark.parametrize("landmarks", [1500, 60])
def test_the_same_texts_lie_at_the_same_places_and_kinds_keep_together(
    landmarks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge_map, "LANDMARKS", landmarks)  # 60: most are put among the landmarks
    count = 120
    texts = questions(count)
    found = layout(texts, EMBEDDER, seed=1)
    assert np.array_equal(found, layout(texts, EMBEDDER, seed=1))
    distance = ((found[:, None] - found[None]) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    same = distance.argmin(axis=1) % 3 == np.arange(count) % 3
    assert same.mean() > 0.9
