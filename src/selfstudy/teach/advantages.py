"""From the rewards of tokens to their advantages, for PPO and GRPO: pure functions without gradients.

Tensors are (rows, longest): one row an answer, padded on the right, `mask` true or 1 at the answer's tokens,
EOS included.  What stands in the padding is never read, NaN or not, except where `published=True` asks for
what the code published with Wu et al. 2023 (arXiv 2306.01693) computes.  Rewards, values and advantages have
one unit, whatever it is.  Functions compute in the type they are given: give float32 or better.

Knows nothing of models, of who rewards, or of the losses (`losses.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

AdvantageScale = Literal["group", "batch", "none"]
ROUNDING = 1e-5
"""A spread below this share of the values is rounding: to divide by it would make rewards of it."""
EPSILON = 1e-4
"""What GRPO adds to a standard deviation."""


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the live entries, of all rows together; 0 without any."""
    live = mask.bool()
    return values.masked_fill(~live, 0).sum() / live.sum().clamp(min=1)


def whitened(values: Tensor, mask: Tensor, *, shift: bool = True, published: bool = False) -> Tensor:
    """(x - mean) / std over the live entries of all rows together.

    The standard deviation is that of the entries (n, not n - 1, below).  Values without a spread become 0.

    Args:
        shift: False puts the mean back, as for rewards (Huang et al. 2024, arXiv 2402.04315).
        published: divides by the square root of the standard deviation, so that the spread does not become 1.

    Returns:
        As many; 0 in the padding, but with `published` what its values become: 0 does not stay 0.
    """
    live, values = mask.bool(), values.detach()
    mean = masked_mean(values, live)
    spread = masked_mean((values - mean).square(), live).sqrt()
    flat = spread <= ROUNDING * masked_mean(values.square(), live).sqrt()
    white = ((values - mean) / (spread.sqrt() if published else spread)).masked_fill(flat, 0)
    if not shift:
        white = white + mean
    return white if published else white.masked_fill(~live, 0)


def shaped(
    rewards: Tensor, policy_logprobs: Tensor, reference_logprobs: Tensor, mask: Tensor, coefficient: float
) -> Tensor:
    """r_t - coefficient * (log pi_t - log ref_t), the KL penalty as a reward; 0 in the padding.

    One sample's estimate: signed, not clipped (Huang et al. 2024, arXiv 2402.04315: coefficient .3).

    Args:
        policy_logprobs, reference_logprobs: of the tokens, in nats, at temperature 1 and over the whole
            vocabulary, however they were sampled.
    """
    rewards = rewards - coefficient * (policy_logprobs - reference_logprobs)
    return rewards.detach().masked_fill(~mask.bool(), 0)


def gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gamma: float = 1.0,
    lam: float = 0.95,
    published: bool = False,
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438, equation 16).

    delta_t = r_t + gamma V_{t+1} - V_t and A_t = delta_t + gamma lam A_{t+1}; V and A are 0 beyond the end.

    Args:
        values: V, what the critic expects from each token on; of the policy that sampled.
        gamma, lam: in [0, 1].
        published: rewards in the padding count as if they were earned, so that a short answer's advantages
            depend on the longest of the batch.

    Returns:
        Advantages, and returns A + V; both 0 in the padding, but with `published`.
    """
    padding = ~mask.bool()
    values = values.detach().masked_fill(padding, 0)
    rewards = rewards.detach() if published else rewards.detach().masked_fill(padding, 0)
    advantages = values.new_zeros(values.shape)
    later = following = values.new_zeros(len(values))
    for at in reversed(range(values.shape[1])):
        later = rewards[:, at] + gamma * following - values[:, at] + gamma * lam * later
        following = values[:, at]
        if not published:
            later = later.masked_fill(padding[:, at], 0)
        advantages[:, at] = later
    return advantages, advantages + values


def segment_advantages(
    rewards: Tensor,
    segments: Tensor,
    mask: Tensor,
    groups: Tensor,
    *,
    scale: AdvantageScale = "group",
) -> tuple[Tensor, int]:
    """GRPO's advantages (Shao et al. 2024, arXiv 2402.03300, section 4.1) for rewards within an answer.

    The return of a segment is what its row earns from the segment's first token on.  Its baseline is the mean
    of its group's returns at the same segment index.  Every token of the segment gets the difference, divided
    as `scale` says.  With one segment a row this is plain GRPO.

    A row that ended before a segment index has the return 0 there, and counts.  Any mean over the group, its
    own row included, shrinks the expected gradient by (n - 1) / n, n the rows that count.  With all of them
    that is the same at every index; with only those that got there it would be less the later a segment is,
    and nothing for the longest answer's last ones, which then could say anything.

    Args:
        segments: integers; the index 0, 1, 2 ... of the sentence or item of each token; never falls in a row.
        groups: (rows,), integers; the prompt that each row answers.
        scale: `group` by the standard deviation (n - 1) of the group's returns at the index, + 1e-4; `batch`
            by that of the returns of all segments of the batch, + 1e-4, so that hard and easy prompts weigh
            the same; `none` by 1 (Liu et al. 2025, arXiv 2503.20783).

    Returns:
        Advantages, 0 in the padding; and how many groups give no gradient: their returns are equal, or fewer
        than two rows have tokens.
    """
    live = mask.bool()
    segments = segments.masked_fill(~live, 0).long()
    shape = (len(rewards), int(segments.max()) + 1)
    rewards = rewards.detach().masked_fill(~live, 0)
    returns = rewards.new_zeros(shape).scatter_add(1, segments, rewards).flip(1).cumsum(1).flip(1)
    advantages, flat = returns.new_zeros(shape), 0
    for group in set(groups.tolist()):
        rows = (groups == group) & live.any(1)
        centred, spread = _centred(returns[rows], rewards[rows])
        flat += not spread.any()
        advantages[rows] = centred / (spread + EPSILON) if scale == "group" else centred
    if scale == "batch":
        reached = returns.new_zeros(shape).scatter_add(1, segments, live.to(returns.dtype)) > 0
        advantages = advantages / (_centred(returns[reached], rewards)[1] + EPSILON)
    return advantages.gather(1, segments).masked_fill(~live, 0), flat


def _centred(returns: Tensor, rewards: Tensor) -> tuple[Tensor, Tensor]:
    """Returns less their mean over the rows, and their standard deviation (n - 1).

    Both are 0 where the spread is no more than the rounding of sums of such rewards.
    """
    if len(returns) < 2:
        return returns.new_zeros(returns.shape), returns.new_zeros(returns.shape[1:])
    spread = returns.std(0)
    flat = spread <= ROUNDING * rewards.abs().max()
    return (returns - returns.mean(0)).masked_fill(flat, 0), spread.masked_fill(flat, 0)
