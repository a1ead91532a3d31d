"""What a model can do beside answering is asked by protocol, of a metered one as of the model itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run, ScriptedLM
from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.models.base import (
    CountsTokens,
    CountsUse,
    HasPrices,
    HasWeights,
    RendersChats,
    Sampling,
    chat,
    token_counter,
)
from selfstudy.recipe import LocalModel, Prices, Recipe, RemoteModel, ServerModel
from selfstudy.run.budget import Ledger, metered

REMOTE = RemoteModel(model="m", base_url="http://127.0.0.1:9/v1", prices=Prices(prompt=1, completion=2))


def test_what_each_backend_can_do(tiny_llama: Path) -> None:
    local, remote = load_lm(LocalModel(path=str(tiny_llama))), load_lm(REMOTE, cache=False)
    scripted = ScriptedLM({".": "yes"})
    assert isinstance(local, HasWeights)
    assert isinstance(local, RendersChats)
    assert isinstance(local, CountsTokens)
    assert not isinstance(local, CountsUse)
    assert isinstance(remote, CountsUse)
    assert isinstance(remote, HasPrices)
    assert not isinstance(remote, HasWeights)
    assert not isinstance(scripted, HasWeights)


def test_a_metered_model_can_be_trained_if_the_model_can(tiny_llama: Path, tmp_path: Path) -> None:
    local = load_lm(LocalModel(path=str(tiny_llama)))
    with Run.create_or_resume(tmp_path / "run", Recipe(library="atlas")) as run:
        counted, scripted = metered(local, Ledger(run)), metered(ScriptedLM({".": "yes"}), Ledger(run))
        assert isinstance(local, HasWeights)
        assert isinstance(counted, HasWeights)
        assert (counted.model, counted.tokenizer, counted.adapter) == (local.model, local.tokenizer, None)
        assert counted.style == local.style
        assert token_counter(counted)("What is it?") == token_counter(local)("What is it?")
        assert not isinstance(scripted, HasWeights)
        assert scripted.generate([chat("Is it?")], Sampling())[0][0].text == "yes"


def test_tokens_are_estimated_where_nothing_counts_them() -> None:
    assert 3 <= token_counter(load_lm(REMOTE, cache=False))("What is it?") <= 6
    assert token_counter(object())("") == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"penalty_alpha": 1.5, "top_k": 4}, "penalty_alpha = 1.5: give 0"),
        ({"penalty_alpha": float("nan"), "top_k": 4}, "penalty_alpha = nan"),
        ({"penalty_alpha": 0.6}, "with top_k = 0"),
        ({"penalty_alpha": 0.6, "top_k": 4, "temperature": 0.9}, "none is asked for: set greedy_first"),
    ],
)
def test_contrastive_search_with_nothing_to_work_on_is_no_sampling(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**{"temperature": 0.0, **given})


def test_a_model_that_shows_no_hidden_states_refuses_contrastive_search_before_it_asks() -> None:
    served = ServerModel(model="m", engine="vllm", url="http://127.0.0.1:9")
    models = [ScriptedLM({".": "yes"}), load_lm(REMOTE, cache=False), load_lm(served)]
    for lm in models:
        with pytest.raises(
            ModelError, match=r"cannot search contrastively \(penalty_alpha = 0.6\)"
        ) as caught:
            lm.generate([chat("Is it?")], Sampling(temperature=0.0, penalty_alpha=0.6, top_k=4))
        assert lm.name in caught.value.what
        assert "type local" in caught.value.hint
