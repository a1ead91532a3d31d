"""What all models of pairs share, at the door of each kind: judged once, and no number is no label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from selfstudy.files.cache import Cache
from selfstudy.models import load_nli
from selfstudy.models.pairs import PairModel, plain_text
from selfstudy.recipe import NLIBlock, Seq2SeqNLI
from tests.models.test_seq2seq_entailment import make_t5

PAIRS = [("Paris is a city.", "Paris is big."), ("Who?", "Vienna"), ("Paris is a city.", "Paris is big.")]

Load = Callable[..., PairModel]


@pytest.fixture(params=["classifier", "true", "attrscore"])
def load(request: pytest.FixtureRequest, tiny_nli: Path, tmp_path: Path) -> Load:
    if request.param == "classifier":
        block: NLIBlock | Seq2SeqNLI = NLIBlock(path=str(tiny_nli), device="cpu")
    else:
        block = Seq2SeqNLI(path=str(make_t5(tmp_path / "t5")), form=request.param, device="cpu")

    def made(cache: Cache | None = None) -> PairModel:
        found = load_nli(block, cache)
        assert isinstance(found, PairModel)
        return found

    return made


def counted(model: PairModel) -> list[int]:
    """The sizes of the batches that are judged from now on."""
    sizes: list[int] = []
    judge = model._judge

    def note(batch: list[dict[str, list[int]]]) -> np.ndarray:
        sizes.append(len(batch))
        return judge(batch)

    model._judge = note  # type: ignore[method-assign, assignment]
    return sizes


def test_a_pair_is_judged_once_in_a_call_and_once_with_a_cache(load: Load, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "nli.sqlite", 2**20)
    first, second = load(cache), load(cache)
    sizes = counted(first)
    expected = first.probabilities(PAIRS)
    assert sum(sizes) == 2
    assert expected.sum(1) == pytest.approx(1.0)
    sizes = counted(second)
    assert (second.probabilities(PAIRS) == expected).all()
    assert second.classes(PAIRS) == first.classes(PAIRS)
    assert sizes == []


def test_what_is_no_number_has_no_label_and_is_not_kept(load: Load, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "nli.sqlite", 2**20)
    broken = load(cache)
    with torch.no_grad():
        for weights in broken.model.parameters():
            weights.fill_(torch.nan)
    assert broken.classes(PAIRS) == [""] * 3
    assert np.isnan(broken.probabilities(PAIRS)).all()
    sizes = counted(sound := load(cache))
    assert "" not in sound.classes(PAIRS)
    assert sum(sizes) == 2


def test_tokens_are_counted_by_its_own_vocabulary(load: Load) -> None:
    tokens, unknown = load().cut(["Paris is a city.", "\ud800"])
    assert tokens > 2
    assert unknown == 0


def test_what_is_no_unicode_is_read() -> None:
    assert plain_text("a\ud800b") == "a?b"
