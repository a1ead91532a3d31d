"""An entailment model whose weights are elsewhere: the same bits, one cache, windows, and what was lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfstudy.files.cache import Cache
from selfstudy.models import load_nli
from selfstudy.models.spread.entailment import spread_nli
from selfstudy.recipe import NLIBlock, Seq2SeqNLI
from tests.models.in_process import InProcess
from tests.models.test_seq2seq_entailment import make_t5

Block = NLIBlock | Seq2SeqNLI
LONG = " ".join(f"Sentence {n} says that Paris is big." for n in range(60))
PAIRS = [
    *((f"Paris is a city {'of France ' * (n % 6)}.", f"Paris is big {n % 4}.") for n in range(24)),
    (LONG, "Paris is big."),
    ("Who?", LONG),
]


@pytest.fixture(params=["classifier", "seq2seq"])
def block(request: pytest.FixtureRequest, tiny_nli: Path, tmp_path: Path) -> Block:
    if request.param == "classifier":
        return NLIBlock(path=str(tiny_nli), device="cpu", token_budget=80)
    return Seq2SeqNLI(path=str(make_t5(tmp_path / "t5")), form="true", device="cpu", token_budget=200)


def test_the_same_bits_in_any_order_and_no_weights_here(block: Block) -> None:
    workers = InProcess(3, shuffled=4)
    here, there = load_nli(block), spread_nli(block, workers)
    assert all(one.device.type == "meta" for one in there.model.parameters())
    advanced: list[int] = []
    assert (there.probabilities(PAIRS, advanced.append) == here.probabilities(PAIRS)).all()
    assert sum(advanced) == len(PAIRS)
    assert there.classes(PAIRS) == here.classes(PAIRS)
    assert there.cut(["Paris", "x"]) == here.cut(["Paris", "x"])  # type: ignore[attr-defined]
    assert there.fingerprint == here.fingerprint  # type: ignore[attr-defined]
    assert len(workers.asked) > 3


def test_what_is_kept_here_is_known_there_and_the_other_way_round(block: Block, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "nli.sqlite", 2**20)
    workers = InProcess(2, shuffled=1)
    there = spread_nli(block, workers, cache)
    found = there.probabilities(PAIRS)
    asked = len(workers.asked)
    assert (spread_nli(block, workers, cache).probabilities(PAIRS) == found).all()
    assert (load_nli(block, cache).probabilities(PAIRS) == found).all()
    assert len(workers.asked) == asked


def test_a_lost_pair_is_no_score_and_is_not_kept(tiny_nli: Path, tmp_path: Path) -> None:
    block = NLIBlock(path=str(tiny_nli), device="cpu", token_budget=80)
    lost = load_nli(block)._encode([PAIRS[1]])[0]  # type: ignore[attr-defined]
    cache = Cache(tmp_path / "nli.sqlite", 2**20)
    there = spread_nli(block, InProcess(2, loses=lambda item: item == lost), cache)
    found = there.probabilities(PAIRS[:6])
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[[0, 2, 3, 4, 5]]).all()
    assert there.classes(PAIRS[:6])[1] == ""
    assert np.isfinite(load_nli(block, cache).probabilities(PAIRS[:6])).all()
