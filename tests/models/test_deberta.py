"""The faster DeBERTa-v2 gives the logits of transformers' own."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.models.deberta import Attention, quicken


def make(**settings: Any) -> Any:
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

    torch.manual_seed(0)
    usual = {
        "vocab_size": 100,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 64,
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_buckets": 8,
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "initializer_range": 0.4,
        "pad_token_id": 0,
        "type_vocab_size": 0,
    }
    return DebertaV2ForSequenceClassification(DebertaV2Config(**{**usual, **settings})).eval()


def logits(model: Any, lengths: list[int]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 100, (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    with torch.inference_mode():
        return model(input_ids=ids * mask, attention_mask=mask).logits  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"share_att_key": False, "norm_rel_ebd": "none"},
        {"position_buckets": -1},
        {"position_buckets": -1, "max_relative_positions": 16},
        {"position_buckets": 200},
        {"pos_att_type": ["c2p"]},
        {"pos_att_type": ["p2c"], "share_att_key": False},
        {"pos_att_type": []},
        {"conv_kernel_size": 3},
        {"num_hidden_layers": 1, "conv_kernel_size": 3},
    ],
    ids=str,
)
def test_the_same_logits_whatever_the_model(settings: dict[str, Any]) -> None:
    model = make(**settings)
    lengths = [60, 1, 33, 2, 59]
    before = logits(model, lengths)
    assert quicken(model)
    assert isinstance(model.deberta.encoder.layer[0].attention.self, Attention)
    assert before.std() > 0.5
    assert (logits(model, lengths) - before).abs().max() < 1e-4


@settings(max_examples=30)
@given(st.lists(st.integers(1, 64), min_size=1, max_size=6))
def test_the_same_logits_whatever_the_lengths(lengths: list[int]) -> None:
    model = make()
    fast = copy.deepcopy(model)
    quicken(fast)
    assert (logits(fast, lengths) - logits(model, lengths)).abs().max() < 1e-4


def test_half_precision_stays_as_near_as_that_of_transformers() -> None:
    lengths = [60, 12, 33]
    exact = logits(make(), lengths)
    slow, fast = make().bfloat16(), make().bfloat16()
    quicken(fast)
    error = (logits(slow, lengths).float() - exact).abs().mean()
    assert (logits(fast, lengths).float() - exact).abs().mean() < 2 * error


def test_other_models_stay_as_they_are() -> None:
    from transformers import BertConfig, BertForSequenceClassification

    bert = BertForSequenceClassification(
        BertConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=9
        )
    )
    assert not quicken(bert)
    assert not quicken(make(relative_attention=False))
