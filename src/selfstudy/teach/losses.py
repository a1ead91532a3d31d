"""The losses of PPO and GRPO: pure functions of log-probabilities, values and advantages.

Tensors are (rows, longest): one row an answer, padded on the right, `mask` true or 1 at the answer's tokens,
EOS included.  What stands in the padding is never read, NaN or not, and gets no gradient.  Log-probabilities
are of the tokens that were sampled, in nats; `old` ones, of the policy that sampled, and advantages are
constants.  Losses are scalars to minimise, 0 without live tokens; give float32 or better.

`total`, above 0, is what the sum over the batch is divided by.  To accumulate gradients over micro-batches
give the whole batch's number each time: the losses add up to the batch's.  None: the number of this one.

Knows nothing of models, of optimisers, or of where advantages come from (`advantages.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

LossAggregation = Literal["dapo", "grpo", "dr_grpo"]
LOG_RATIO_LIMIT = 20.0
"""A log-ratio above this counts as this, and gives no gradient, so that none becomes inf."""


def policy_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip: float = 0.2,
    clip_high: float | None = None,
    total: float | Tensor | None = None,
) -> Tensor:
    """PPO's clipped surrogate (Schulman et al. 2017, arXiv 1707.06347, equation 7), mean over live tokens.

    max(-A rho, -A clip(rho, 1 - clip, 1 + clip_high)) with rho = exp(log pi - log old).

    Args:
        clip: in (0, 1).
        clip_high: upwards; None: as `clip` (Yu et al. 2025, arXiv 2503.14476: .28).
        total: live tokens.
    """
    surrogate = _surrogate(logprobs, old_logprobs, advantages, mask, clip, clip_high)
    return surrogate.sum() / _tokens(mask, total)


def clipped_share(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip: float = 0.2,
    clip_high: float | None = None,
) -> float:
    """The share of live tokens, in [0, 1], whose ratio is beyond the clip, so that they give no gradient."""
    rho = _ratio(logprobs.detach(), old_logprobs, mask)
    above = (rho > 1 + (clip if clip_high is None else clip_high)) & (advantages > 0)
    below = (rho < 1 - clip) & (advantages < 0)
    return float(((above | below) & mask.bool()).sum() / _tokens(mask, None))


def value_loss(
    values: Tensor,
    old_values: Tensor,
    returns: Tensor,
    mask: Tensor,
    *,
    clip: float = 0.2,
    total: float | Tensor | None = None,
) -> Tensor:
    """The critic's (Huang et al. 2024, arXiv 2402.04315), the mean over live tokens of

    .5 max((V - R)^2, (clip(V, V_old - clip, V_old + clip) - R)^2).

    Args:
        old_values: constants, of the critic when the answers were sampled.
        clip: above 0, in units of the returns.
        total: live tokens.
    """
    padding = ~mask.bool()
    values, old, returns = (
        each.masked_fill(padding, 0) for each in (values, old_values.detach(), returns.detach())
    )
    near = old + (values - old).clamp(-clip, clip)
    worst = (values - returns).square().maximum((near - returns).square())
    return 0.5 * worst.sum() / _tokens(mask, total)


def k3(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """e^d - d - 1 with d = log ref - log pi, of each token (Shao et al. 2024, arXiv 2402.03300, equation 4).

    At least 0; its mean over what pi samples is the divergence KL(pi || ref), in nats.
    """
    difference = (reference_logprobs - logprobs).clamp(max=LOG_RATIO_LIMIT)
    return difference.exp() - difference - 1


def grpo_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip: float = 0.2,
    clip_high: float | None = None,
    reference: Tensor | None = None,
    beta: float = 0.0,
    aggregation: LossAggregation = "dapo",
    total: float | Tensor | None = None,
    longest: int | None = None,
) -> Tensor:
    """The clipped surrogate + beta * k3 of each token (Shao et al. 2024, arXiv 2402.03300, equation 3).

    Args:
        clip, clip_high: as for `policy_loss`.
        reference: log-probabilities of the frozen start; needed with a `beta`.
        beta: 0 or more.
        aggregation: `dapo` the mean over all live tokens (Yu et al. 2025, arXiv 2503.14476); `grpo` the mean
            over each row's, then over rows, which punishes long wrong answers less; `dr_grpo` the sum over
            (rows * longest) (Liu et al. 2025, arXiv 2503.20783).
        total: live tokens for `dapo`, for the others rows that have any.
        longest: tokens that an answer may have, for `dr_grpo`; not the longest of the batch, which varies.

    Raises:
        ValueError: `beta` without `reference`, or `dr_grpo` without `longest`.
    """
    live = mask.bool()
    tokens = _surrogate(logprobs, old_logprobs, advantages, live, clip, clip_high)
    if beta:
        if reference is None:
            raise ValueError(f"beta is {beta}: give the reference's log-probabilities, or beta 0")
        constant = reference.detach().masked_fill(~live, 0)
        tokens = tokens + beta * k3(logprobs.masked_fill(~live, 0), constant)
    if aggregation == "dapo":
        return tokens.sum() / _tokens(live, total)
    rows = live.any(1).sum().clamp(min=1) if total is None else total
    if aggregation == "grpo":
        return (tokens.sum(1) / live.sum(1).clamp(min=1)).sum() / rows
    if longest is None:
        raise ValueError("dr_grpo divides by the tokens that an answer may have: give `longest`")
    return tokens.sum() / (rows * longest)


def _surrogate(
    logprobs: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float, clip_high: float | None
) -> Tensor:
    """What each token loses; 0 in the padding."""
    advantages = advantages.detach().masked_fill(~mask.bool(), 0)
    rho = _ratio(logprobs, old, mask)
    near = rho.clamp(1 - clip, 1 + (clip if clip_high is None else clip_high))
    return (-advantages * rho).maximum(-advantages * near)


def _ratio(logprobs: Tensor, old: Tensor, mask: Tensor) -> Tensor:
    """pi / old of each token; 1 in the padding.  Masked first: NaN times 0 is NaN, in gradients too."""
    return (logprobs - old.detach()).masked_fill(~mask.bool(), 0).clamp(max=LOG_RATIO_LIMIT).exp()


def _tokens(mask: Tensor, total: float | Tensor | None) -> float | Tensor:
    return mask.bool().sum().clamp(min=1) if total is None else total
