"""Advantages against numbers worked by hand, and against what padding and other rows must not change."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from selfstudy.teach.advantages import (
    AdvantageScale,
    gae,
    masked_mean,
    segment_advantages,
    shaped,
    whitened,
)

NAN = float("nan")


def grid(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def live(*lengths: int, longest: int | None = None) -> Tensor:
    return torch.arange(longest or max(lengths)) < torch.tensor(lengths)[:, None]


def padded(values: Tensor, by: int, filling: float = 0.0) -> Tensor:
    return torch.nn.functional.pad(values, (0, by), value=filling)


def close(found: Tensor, wanted: Tensor | list[list[float]]) -> None:
    torch.testing.assert_close(found, torch.as_tensor(wanted, dtype=found.dtype))


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Rewards, values and a mask, of up to 4 answers of up to 6 tokens."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    seed = draw(st.integers(0, 10_000))
    rewards, values = torch.randn(
        2, len(lengths), max(lengths), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    mask = live(*lengths)
    return rewards * mask, values * mask, mask


# Means and whitening


def test_a_mean_is_of_the_live_entries_only() -> None:
    assert masked_mean(grid([1, 2, NAN], [6, NAN, NAN]), live(2, 1, longest=3)) == 3
    assert masked_mean(grid([NAN]), live(0, longest=1)) == 0


def test_whitening_gives_unit_variance_with_or_without_the_mean() -> None:
    values, mask = grid([1, 3, NAN], [5, 7, NAN]), live(2, 2, longest=3)  # mean 4, deviation sqrt(5)
    white = torch.tensor([[-3, -1, 0], [1, 3, 0]], dtype=torch.float64) / 5**0.5
    close(whitened(values, mask), white)
    close(whitened(values, mask, shift=False), (white + 4) * mask)


def test_the_published_whitening_divides_by_the_root_of_the_deviation_and_fills_the_padding() -> None:
    values, mask = grid([1, 3, 0], [5, 7, 0]), live(2, 2, longest=3)
    white = (values - 4) / 5**0.25
    close(whitened(values, mask, published=True), white)
    close(whitened(values, mask, shift=False, published=True), white + 4)
    assert whitened(values, mask, published=True)[mask].std(unbiased=False) != pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.3, -1e6, 1e-30])
def test_values_without_a_spread_become_zeros_or_their_mean(value: float, published: bool) -> None:
    mask = live(7, 300)
    values = torch.full((2, 300), value) * mask
    assert not whitened(values, mask, published=published)[mask].any()
    kept = whitened(values, mask, shift=False, published=published)
    torch.testing.assert_close(kept[mask], values[mask])
    assert kept.isfinite().all()


def test_the_whitening_of_one_entry_is_zero_and_of_none_too() -> None:
    assert not whitened(grid([3, NAN]), live(1, longest=2)).any()
    assert not whitened(grid([NAN, NAN]), live(0, longest=2)).any()


# The penalty, and GAE


def test_the_penalty_is_signed_and_ends_with_the_answer() -> None:
    policy, reference = grid([-1, -2, NAN]).requires_grad_(), grid([-3, -1, NAN])
    found = shaped(grid([0.2, 0, NAN]), policy, reference, live(2, longest=3), 0.3)
    close(found, [[0.2 - 0.6, 0.3, 0]])
    assert not found.requires_grad


def test_gae_worked_by_hand() -> None:
    # deltas: 0 + .9 * .4 - .5 = -.14;  1 + .9 * .2 - .4 = .78;  2 - .2 = 1.8
    # A_2 = 1.8;  A_1 = .78 + .45 * 1.8 = 1.59;  A_0 = -.14 + .45 * 1.59 = .5755
    found, returns = gae(grid([0, 1, 2]), grid([0.5, 0.4, 0.2]), live(3), gamma=0.9, lam=0.5)
    close(found, [[0.5755, 1.59, 1.8]])
    close(returns, [[1.0755, 1.99, 2.0]])


def test_nothing_earned_and_nothing_expected_is_no_advantage() -> None:
    nothing, mask = torch.zeros(2, 4), live(4, 2)
    rewards = whitened(shaped(nothing, nothing - 1, nothing - 1, mask, 0.3), mask, shift=False)
    advantages, returns = gae(rewards, nothing, mask)
    assert not advantages.any()
    assert not returns.any()
    assert not whitened(advantages, mask).any()


@given(batches())
def test_undiscounted_and_without_a_critic_an_advantage_is_what_is_earned_from_there_on(
    batch: tuple[Tensor, Tensor, Tensor],
) -> None:
    rewards, _, mask = batch
    advantages, returns = gae(rewards, torch.zeros_like(rewards), mask, lam=1.0)
    wanted = torch.stack([rewards[:, at:].sum(1) for at in range(rewards.shape[1])], dim=1) * mask
    close(advantages, wanted)
    close(returns, wanted)


@given(batches(), st.integers(1, 5), st.sampled_from([0.0, 7.0, NAN]))
def test_padding_changes_nothing(batch: tuple[Tensor, Tensor, Tensor], by: int, filling: float) -> None:
    rewards, values, mask = batch
    longer = padded(mask, by)

    def all_of_it(rewards: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        rewards = whitened(rewards, mask, shift=False)
        advantages, returns = gae(rewards, values, mask)
        return torch.stack([rewards, advantages, returns, whitened(advantages, mask)])

    found = all_of_it(rewards, values, mask)
    again = all_of_it(padded(rewards, by, filling), padded(values, by, filling), longer)
    close(again, padded(found, by))


def test_padding_before_the_answer_is_left_alone_too() -> None:
    advantages, returns = gae(grid([5, 0, 1]), grid([7, 0.5, 0.5]), grid([0, 1, 1]), lam=1.0)
    close(advantages, [[0, 0.5, 0.5]])
    close(returns, [[0, 1, 1]])


def test_in_the_published_code_padding_changes_short_answers() -> None:
    rewards, values, mask = grid([0.2, 0.6], [0.4, 0]), grid([0.1, 0.1], [0.3, 0]), live(2, 1)

    def advantages(by: int) -> Tensor:
        longer = padded(mask, by)
        white = whitened(padded(rewards, by), longer, published=True)
        return gae(white, padded(values, by), longer, published=True)[0]

    white = whitened(padded(rewards, 1), padded(mask, 1), published=True)
    assert white[1, 1] == white[1, 2] != 0
    # a pad is worth the same each, and A = r - V + .95 * (the pad's A)
    close(advantages(0)[1, 0], white[1, 0] - 0.3 + 0.95 * white[1, 1])
    close(advantages(1)[1, 0], white[1, 0] - 0.3 + (0.95 + 0.95**2) * white[1, 1])
    close(
        gae(padded(rewards, 1), padded(values, 1), padded(mask, 1))[0],
        padded(gae(rewards, values, mask)[0], 1),
    )


def test_what_a_token_earns_reaches_itself_and_earlier_ones_of_its_row() -> None:
    mask = live(4, 4)
    rewards = torch.zeros(2, 4, dtype=torch.float64)
    rewards[0, 2] = 1
    close(gae(rewards, torch.zeros_like(rewards), mask)[0], [[0.95**2, 0.95, 1, 0], [0, 0, 0, 0]])
    close(gae(rewards, torch.zeros_like(rewards), mask, lam=0.0)[0], [[0, 0, 1, 0], [0, 0, 0, 0]])


def test_advantages_carry_no_gradient() -> None:
    values = torch.rand(1, 3, requires_grad=True)
    assert not any(one.requires_grad for one in gae(values, values, live(3)))
    assert not whitened(values, live(3)).requires_grad


# GRPO


def test_with_one_segment_a_row_it_is_plain_grpo() -> None:
    rewards = grid([0, 0, 1], [3, 0, 0], [0, 2, NAN], [0, 7, NAN])
    mask, groups = live(3, 3, 2, 2), torch.tensor([5, 5, 9, 9])
    totals, deviations = [1.0, 3.0, 2.0, 7.0], [2**0.5, 12.5**0.5]
    means = [2.0, 2.0, 4.5, 4.5]
    plain = [
        (r - m) / (deviations[at // 2] + 1e-4) for at, (r, m) in enumerate(zip(totals, means, strict=True))
    ]
    found, flat = segment_advantages(rewards, torch.zeros(4, 3, dtype=torch.long), mask, groups)
    close(found, torch.tensor(plain, dtype=torch.float64)[:, None] * mask)
    assert flat == 0


def test_segments_are_compared_with_the_same_segment_of_the_group_by_what_follows() -> None:
    rewards = grid([0, 1, 0, 2], [3, 0, 1, NAN])
    segments, mask = torch.tensor([[0, 0, 1, 1], [0, 1, 1, -100]]), live(4, 3)
    # returns: (3, 2) and (4, 1); means 3.5 and 1.5
    found, flat = segment_advantages(rewards, segments, mask, torch.zeros(2), scale="none")
    close(found, [[-0.5, -0.5, 0.5, 0.5], [0.5, -0.5, -0.5, 0]])
    divided, _ = segment_advantages(rewards, segments, mask, torch.zeros(2))
    close(divided, found / (0.5**0.5 + 1e-4))
    assert flat == 0


def test_the_batch_has_one_deviation_of_all_that_was_reached() -> None:
    rewards = grid([1, 2], [4, 0], [6, NAN], [6, NAN])
    segments, mask, groups = (
        torch.tensor([[0, 1], [0, 1], [0, 0], [0, 0]]),
        live(2, 2, 1, 1),
        grid([0, 0, 1, 1])[0],
    )
    plain, _ = segment_advantages(rewards, segments, mask, groups, scale="none")
    deviation = torch.tensor([3.0, 2, 4, 0, 6, 6]).std().double()
    found, flat = segment_advantages(rewards, segments, mask, groups, scale="batch")
    close(found, plain / (deviation + 1e-4))
    assert flat == 1


def test_rows_that_ended_count_as_zero_so_that_the_longest_still_answers_for_its_last_segment() -> None:
    rewards, mask = grid([0, -4], [0, NAN], [0, NAN], [0, NAN]), live(2, 1, 1, 1)
    segments = torch.tensor([[0, 1], [0, 0], [0, 0], [0, 0]])
    found, _ = segment_advantages(rewards, segments, mask, torch.zeros(4), scale="none")
    close(found, [[-3, -3], [1, 0], [1, 0], [1, 0]])


def test_the_expected_gradient_is_the_true_one_times_one_factor_at_every_index() -> None:
    """All outcomes of three rows that each choose to stop or go on, and then what to say, by probability."""
    logits = torch.tensor([0.3, -0.2], dtype=torch.float64)  # of going on; of the good second sentence

    def outcomes() -> list[tuple[Tensor, Tensor, list[float]]]:
        on, good = logits.sigmoid()
        return [
            (1 - on, torch.stack([-on, 0 * on]), [0.5, 0.0]),
            (on * good, torch.stack([1 - on, 1 - good]), [0.1, 1.0]),
            (on * (1 - good), torch.stack([1 - on, -good]), [0.1, -0.4]),
        ]

    every = outcomes()
    true = sum((p * score * torch.tensor([sum(r), r[1]]) for p, score, r in every), torch.zeros(2))
    expected = torch.zeros(2, dtype=torch.float64)
    for chosen in torch.cartesian_prod(*[torch.arange(3)] * 3).tolist():
        rewards = grid(*[every[one][2] for one in chosen])
        mask = live(*[1 if one == 0 else 2 for one in chosen], longest=2)
        found, _ = segment_advantages(rewards, torch.tensor([[0, 1]] * 3), mask, torch.zeros(3), scale="none")
        scores = torch.stack([every[one][1] for one in chosen])
        expected += torch.stack([every[one][0] for one in chosen]).prod() * (found * scores).mean(0)
    close(expected, 2 / 3 * true)


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_rows_without_tokens_count_for_nothing(scale: AdvantageScale) -> None:
    rewards, mask = grid([1, 0], [NAN, NAN], [0, 2], [9, 9]), live(2, 0, 2, 2)
    segments, groups = torch.tensor([[0, 1]] * 4), torch.tensor([0, 0, 0, 1])
    found, flat = segment_advantages(rewards, segments, mask, groups, scale=scale)
    assert not found[1].any()
    assert not found[3].any()  # alone in its group
    assert flat == 1
    if scale != "batch":
        two, none = segment_advantages(rewards[[0, 2]], segments[:2], mask[[0, 2]], groups[:2], scale=scale)
        close(found[[0, 2]], two)
        assert none == 0
    nobody, flat = segment_advantages(rewards, segments, mask & False, groups, scale=scale)
    assert not nobody.any()
    assert flat == 2


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_groups_without_a_spread_are_counted_and_give_no_nan(scale: AdvantageScale) -> None:
    rewards = torch.full((9, 5), 0.1)  # thrice .1 is not always .3 in floats
    rewards[8, 0] = 0.7
    segments, mask = torch.tensor([[0, 0, 1, 1, 1]] * 9), live(*[5] * 9)
    groups = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
    found, flat = segment_advantages(rewards, segments, mask, groups, scale=scale)
    assert flat == 2
    assert not found[:6].any()
    assert found.isfinite().all()
    assert (found[8, :2] > 0).all()


def test_what_rounding_leaves_is_no_spread() -> None:
    rewards = torch.tensor([[0.2, 0.2, 0.3, -0.7], [0, 0, 0, 0]])
    assert rewards[0].cumsum(0)[-1] != 0
    found, flat = segment_advantages(rewards, torch.zeros(2, 4, dtype=torch.long), live(4, 4), torch.zeros(2))
    assert flat == 1
    assert not found.any()


@given(batches(), st.integers(1, 4), st.sampled_from([0.0, NAN]), st.sampled_from(["group", "batch", "none"]))
def test_padding_changes_no_segment(
    batch: tuple[Tensor, Tensor, Tensor], by: int, filling: float, scale: AdvantageScale
) -> None:
    rewards, values, mask = batch
    segments = (values > 0).long().cumsum(1)
    groups = torch.arange(len(rewards)) % 2
    found, flat = segment_advantages(rewards, segments, mask, groups, scale=scale)
    again, same = segment_advantages(
        padded(rewards, by, filling), padded(segments, by, 50), padded(mask, by), groups, scale=scale
    )
    close(again, padded(found, by))
    assert same == flat


def test_other_groups_change_nothing() -> None:
    rewards, segments, mask = torch.rand(4, 3), torch.tensor([[0, 1, 1]] * 4), live(3, 3, 3, 3)
    groups = torch.tensor([0, 0, 1, 1])
    found, _ = segment_advantages(rewards, segments, mask, groups)
    rewards[2:] *= 5
    again, _ = segment_advantages(rewards, segments, mask, groups)
    close(again[:2], found[:2])
