"""Choosing tokens: streams, penalty, filters, inverse CDF."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.models.base import Sampling
from selfstudy.models.local import sampling
from selfstudy.models.local.sampling import distribution, draw, most_probable, penalise_, streams

SCORES = torch.log(torch.tensor([[0.5, 0.25, 0.125, 0.125], [0.1, 0.2, 0.3, 0.4]]))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5), st.integers(1, 40))
def test_a_stream_depends_on_its_key_alone(keys: list[int], length: int) -> None:
    together = streams(np.array(keys, dtype=np.uint64), length)
    assert ((together >= 0) & (together < 1)).all()
    for key, row in zip(keys, together, strict=True):
        longer = streams(np.array([key], dtype=np.uint64), length + 7)[0]
        assert (longer[:length] == row).all()


def test_streams_are_uniform_and_uncorrelated() -> None:
    numbers = streams(np.arange(2000, dtype=np.uint64), 50)  # neighbouring keys are the hardest case
    assert numbers.mean() == pytest.approx(0.5, abs=0.005)
    assert numbers.var() == pytest.approx(1 / 12, abs=0.002)
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.07
    assert abs(np.corrcoef(numbers[:, 0], numbers[:, 1])[0, 1]) < 0.07


def test_penalty_divides_positive_and_multiplies_negative_logits_once() -> None:
    logits = torch.tensor([[2.0, -1.0, 3.0]])
    seen = torch.tensor([[0, 1, 0, 0]])
    assert penalise_(logits, seen, 1.0) is None
    before = penalise_(logits, seen, 2.0)
    assert logits.tolist() == [[1.0, -2.0, 3.0]]
    assert before is not None
    assert logits.scatter(1, seen, before).tolist() == [[2.0, -1.0, 3.0]]


def test_temperature_one_is_the_models_own_distribution() -> None:
    assert distribution(SCORES, 1.0, 0, 1.0)[0].tolist() == pytest.approx([0.5, 0.25, 0.125, 0.125])
    assert distribution(SCORES, 0.5, 0, 1.0)[0, 0].item() == pytest.approx(0.25 / 0.34375)


def test_top_k_and_top_p_keep_the_most_probable() -> None:
    assert distribution(SCORES, 1.0, 2, 1.0)[1].tolist() == pytest.approx([0, 0, 3 / 7, 4 / 7])
    assert distribution(SCORES, 1.0, 0, 0.6)[0].tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert distribution(SCORES, 1.0, 0, 0.0)[1].tolist() == pytest.approx([0, 0, 0, 1])


@settings(max_examples=60)
@given(
    st.integers(1, 6),
    st.integers(2, 9),
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_draw_is_inverse_cdf_and_never_takes_an_impossible_token(
    rows: int, vocabulary: int, numbers: list[int], random: object
) -> None:
    generator = np.random.default_rng(len(numbers))
    weights = generator.random((rows, vocabulary)) * (generator.random((rows, vocabulary)) < 0.5)
    weights[:, generator.integers(vocabulary)] += 0.01
    probabilities = torch.tensor(weights / weights.sum(1, keepdims=True), dtype=torch.float32)
    uniform = torch.tensor(numbers, dtype=torch.float64) * 2.0**-32
    row = torch.arange(len(numbers)) % rows
    for token, r, u in zip(draw(probabilities, row, uniform), row, uniform, strict=True):
        cdf = probabilities[r].double().cumsum(0)
        cdf /= cdf[-1].clone()
        assert probabilities[r, token] > 0
        assert cdf[token] > u or u > 1 - 1e-9
        assert token == 0 or cdf[token - 1] <= u + 1e-9


@pytest.mark.parametrize("vocabulary", [1500, 5120, 20_001])
def test_blocks_of_a_large_vocabulary_change_no_token(vocabulary: int) -> None:
    """Neither the one that is drawn nor the most probable one, the first of equal ones."""
    generator = torch.Generator().manual_seed(vocabulary)
    scores = torch.randn(3, vocabulary, generator=generator).mul(3).round(decimals=1)
    probabilities = scores.softmax(1)
    row = torch.arange(6) % 3
    for _ in range(40):
        uniform = torch.randint(2**32, (6,), generator=generator).double() * 2.0**-32
        line = probabilities.cumsum(1, dtype=torch.float64)[row]
        expected = (line / line[:, -1:] > uniform[:, None]).int().argmax(1)
        assert draw(probabilities, row, uniform).tolist() == expected.tolist()
    assert most_probable(scores).tolist() == scores.argmax(1).tolist()


@pytest.mark.parametrize("together", [1, 2**21])
def test_rows_are_chosen_from_alike_however_many_are_worked_on_together(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "_TOGETHER", together)
    logits = torch.randn(5, 1300, generator=torch.Generator().manual_seed(1)).mul_(2)
    logits[3] = torch.nan
    before = logits.clone()
    row = torch.tensor([4, 0, 1, 3, 2, 4, 1])
    uniform = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
    greedy = torch.tensor([True, False, True, False, False, False, False])
    seen = torch.randint(1300, (5, 40), generator=torch.Generator().manual_seed(2))
    options = Sampling(temperature=0.8, repetition_penalty=1.3)
    token, total = sampling.choose(logits, seen, row, uniform, greedy, options)
    assert total[[0, 1, 2, 4]].tolist() == pytest.approx(before[[0, 1, 2, 4]].logsumexp(1).tolist())
    assert not total[3].isfinite()
    assert torch.equal(logits[[0, 1, 2, 4]], before[[0, 1, 2, 4]])
    penalise_(before, seen, 1.3)
    line = (before / 0.8).softmax(1).cumsum(1, dtype=torch.float64)[row]
    expected = torch.where(greedy, before.argmax(1)[row], (line > uniform[:, None]).int().argmax(1))
    healthy = row != 3
    assert token[healthy].tolist() == expected[healthy].tolist()
