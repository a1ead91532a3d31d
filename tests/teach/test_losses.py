"""Losses against numbers worked by hand, finite differences, and what must get no gradient."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Any

import pytest
import torch
from torch import Tensor

from selfstudy.teach.losses import (
    LossAggregation,
    clipped_share,
    grpo_loss,
    k3,
    policy_loss,
    value_loss,
)

NAN = float("nan")
AGGREGATIONS: list[LossAggregation] = ["dapo", "grpo", "dr_grpo"]
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)


def random_batch() -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities, old ones and advantages: ratios below, within and above the clip, none near it."""
    noise = torch.Generator().manual_seed(3)
    old = -torch.rand(3, 4, generator=noise, dtype=torch.float64) - 0.5
    apart = torch.tensor([[-0.5, 0.05, 0.6, 0], [0.5, -0.1, 0, 0], [0.1, -0.6, -0.05, 0.7]]).double()
    advantages = torch.tensor([[1.5, -2, 1, 9], [-1, 0.5, 9, 9], [-0.3, -1, 2, 0.8]], dtype=torch.float64)
    return (old + apart).requires_grad_(), old, advantages


def gradient(loss: Tensor, of: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, of)
    return found


def single(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


# PPO


@pytest.mark.parametrize(
    ("ratio", "advantage", "wanted", "clipped"),
    [
        (1.1, 2.0, -2.2, 0),
        (1.5, 2.0, -2.4, 1),  # no more for going further up
        (1.5, -2.0, 3.0, 0),  # wrong way: the whole of it
        (0.5, 2.0, -1.0, 0),
        (0.5, -2.0, 1.6, 1),
        (1.5, 0.0, 0.0, 0),
    ],
)
def test_the_clip_holds_on_the_side_that_would_gain(
    ratio: float, advantage: float, wanted: float, clipped: int
) -> None:
    given = single(log(ratio)), single(0.0), single(advantage), single(1)
    assert float(policy_loss(*given)) == pytest.approx(wanted)
    assert float(grpo_loss(*given)) == pytest.approx(wanted)
    assert clipped_share(*given) == clipped


def test_the_clip_upwards_can_be_another() -> None:
    given = single(log(1.25)), single(0.0), single(1.0), single(1)
    assert float(policy_loss(*given, clip_high=0.28)) == pytest.approx(-1.25)
    assert clipped_share(*given, clip_high=0.28) == 0
    assert clipped_share(*given) == 1
    assert float(
        policy_loss(single(log(0.5)), *given[1:2], single(-1.0), single(1), clip_high=0.28)
    ) == pytest.approx(0.8)


def test_the_clipped_share_is_that_of_tokens_without_a_gradient() -> None:
    logprobs, old, advantages = random_batch()
    found = gradient(policy_loss(logprobs, old, advantages, MASK), logprobs)
    share = clipped_share(logprobs, old, advantages, MASK)
    assert share == pytest.approx(float((found[MASK] == 0).double().mean()))
    assert 0 < share < 1


def test_at_ratio_1_the_gradient_is_that_of_reinforce() -> None:
    logprobs, _, advantages = random_batch()
    reinforce = gradient(-(advantages * logprobs)[MASK].mean(), logprobs)
    for loss in (policy_loss, grpo_loss):
        found = gradient(loss(logprobs, logprobs.detach(), advantages, MASK), logprobs)
        torch.testing.assert_close(found, reinforce)


def test_old_ones_and_advantages_are_constants() -> None:
    logprobs, old, advantages = random_batch()
    old.requires_grad_(), advantages.requires_grad_()
    policy_loss(logprobs, old, advantages, MASK).backward()
    grpo_loss(logprobs, old, advantages, MASK, reference=old, beta=0.1).backward()
    value_loss(logprobs, old, advantages, MASK).backward()
    assert old.grad is None
    assert advantages.grad is None


@pytest.mark.parametrize(
    ("value", "old", "target", "wanted"),
    [
        (1.1, 1.0, 2.0, 0.5 * 0.81),
        (1.5, 1.0, 2.0, 0.5 * 0.64),  # clipped to 1.2, which is further off
        (0.5, 1.0, 2.0, 0.5 * 2.25),
    ],
)
def test_a_value_that_moves_too_far_at_once_gains_nothing(
    value: float, old: float, target: float, wanted: float
) -> None:
    found = value_loss(single(value), single(old), single(target), single(1))
    assert float(found) == pytest.approx(wanted)


# GRPO


def test_k3_is_the_divergence_and_never_negative() -> None:
    assert float(k3(single(-1.0), single(-1.0))) == 0
    assert float(k3(single(-1.0), single(-2.0))) == pytest.approx(exp(-1))
    policy, reference = torch.randn(2, 50, dtype=torch.float64).log_softmax(1)
    assert (k3(policy, reference) >= 0).all()
    kl = (policy.exp() * (policy - reference)).sum()
    torch.testing.assert_close((policy.exp() * k3(policy, reference)).sum(), kl)


def test_the_three_ways_to_add_up() -> None:
    zero, mask = torch.zeros(2, 4), torch.tensor([[1, 0, 0, 0], [1, 1, 1, 0]])
    advantages = torch.tensor([[-4.0, 0, 0, 0], [-1.0, -1, -1, 0]])  # lose 4, and 1 + 1 + 1

    def loss(aggregation: LossAggregation) -> float:
        return float(grpo_loss(zero, zero, advantages, mask, aggregation=aggregation, longest=10))

    assert loss("dapo") == pytest.approx(7 / 4)
    assert loss("grpo") == pytest.approx((4 + 1) / 2)
    assert loss("dr_grpo") == pytest.approx(7 / (2 * 10))


def test_what_is_missing_is_said() -> None:
    given = (single(0.0),) * 4
    with pytest.raises(ValueError, match="reference"):
        grpo_loss(*given, beta=0.1)
    with pytest.raises(ValueError, match="longest"):
        grpo_loss(*given, aggregation="dr_grpo")


def test_the_divergence_is_added_to_each_token() -> None:
    logprobs, old, advantages = random_batch()
    plain = grpo_loss(logprobs, old, advantages, MASK)
    found = grpo_loss(logprobs, old, advantages, MASK, reference=old - 1, beta=0.5)
    torch.testing.assert_close(found, plain + 0.5 * k3(logprobs, old - 1)[MASK].mean())


# All of them

LOSSES: dict[str, Callable[..., Tensor]] = {
    "policy": lambda logprobs, old, advantages, mask, **total: policy_loss(
        logprobs, old, advantages, mask, **total
    ),
    "value": lambda values, old, returns, mask, **total: value_loss(values, old, returns, mask, **total),
    **{
        name: lambda logprobs, old, advantages, mask, name=name, **total: grpo_loss(
            logprobs,
            old,
            advantages,
            mask,
            reference=old - 0.3,
            beta=0.2,
            aggregation=name,
            longest=9,
            **total,
        )
        for name in AGGREGATIONS
    },
}
every_loss = pytest.mark.parametrize("name", LOSSES)


@every_loss
def test_finite_differences(name: str) -> None:
    logprobs, old, advantages = random_batch()
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, old, advantages, MASK), (logprobs,))


@every_loss
@pytest.mark.parametrize("filling", [0.0, 50.0, NAN, -float("inf")])
def test_padding_changes_nothing_and_gets_no_gradient(name: str, filling: float) -> None:
    logprobs, *constants = random_batch()
    loss = LOSSES[name](logprobs, *constants, MASK)
    wanted = gradient(loss, logprobs)
    assert not wanted[~MASK].any()

    def longer(values: Tensor) -> Tensor:
        values = values.detach().masked_fill(~MASK, filling)
        return torch.nn.functional.pad(values, (0, 3), value=filling)

    more = longer(logprobs).requires_grad_()
    mask = torch.nn.functional.pad(MASK, (0, 3))
    again = LOSSES[name](more, *map(longer, constants), mask)
    torch.testing.assert_close(again, loss)
    torch.testing.assert_close(gradient(again, more), torch.nn.functional.pad(wanted, (0, 3)))
    assert clipped_share(more, *map(longer, constants), mask) == clipped_share(logprobs, *constants, MASK)


@every_loss
def test_a_row_without_tokens_changes_nothing(name: str) -> None:
    batch = [one.detach() for one in (*random_batch(), MASK)]
    more = [torch.cat([one, torch.zeros_like(one[:1])]) for one in batch]
    torch.testing.assert_close(LOSSES[name](*more), LOSSES[name](*batch))


@every_loss
@pytest.mark.parametrize("as_tensor", [False, True])
def test_micro_batches_add_up_to_the_batch(name: str, as_tensor: bool) -> None:
    logprobs, *constants = random_batch()
    whole = LOSSES[name](logprobs, *constants, MASK)
    total: Any = len(MASK) if name in ("grpo", "dr_grpo") else int(MASK.sum())
    if as_tensor:
        total = torch.tensor(total)
    parts = [
        LOSSES[name](logprobs[rows], *(one[rows] for one in constants), MASK[rows], total=total)
        for rows in (slice(0, 1), slice(1, 3))
    ]
    torch.testing.assert_close(torch.stack(parts).sum(), whole)
    torch.testing.assert_close(gradient(torch.stack(parts).sum(), logprobs), gradient(whole, logprobs))


@every_loss
def test_a_batch_without_live_tokens_loses_nothing(name: str) -> None:
    logprobs, *constants = random_batch()
    loss = LOSSES[name](logprobs, *constants, MASK & False)
    assert loss == 0
    assert not gradient(loss, logprobs).any()


@every_loss
@pytest.mark.parametrize("apart", [-1000.0, 1000.0])
def test_a_policy_far_off_gives_no_nan(name: str, apart: float) -> None:
    logprobs, old, advantages = (one.detach().float() for one in random_batch())
    advantages[0, 0] = 0
    far = (logprobs + apart).requires_grad_()
    loss = LOSSES[name](far, old, advantages, MASK)
    assert loss.isfinite()
    assert gradient(loss, far).isfinite().all()
