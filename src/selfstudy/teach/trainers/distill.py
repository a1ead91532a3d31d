"""Distillation: what the frozen model shows along given answers, and how far the student is from it.

    D_t = sum over v of p(v) (log p(v) - log q(v))      forward KL(teacher || student) at position t

p is the model before this phase, q the same model in training: at the same prompt, where it is to stay as it
was, or p with the evidence in its prompt and q without it (methods-more A; Shenfeld et al. 2026, arXiv
2601.19897).  Forward, not reverse: to a new name the student gives next to nothing, and reverse KL weighs by
what the student gives.  The teacher never changes, so each example is shown once, before the training, and
of each distribution only the most probable tokens are kept.

Knows nothing of trainers and of what the prompts hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from selfstudy.models.base import HasWeights
from selfstudy.models.local import weights
from selfstudy.models.local.encoding import Answered
from selfstudy.models.local.forward import Forward
from selfstudy.models.local.scoring import LogprobScorer, most_probable
from selfstudy.records import Example
from selfstudy.teach.trainers import shared

POSITIONS = 32
"""Worked on at once: the logits of a step can take a gigabyte, and what fits into a cache is read once."""
UNKEPT = 1e-6
"""What the teacher's other tokens have at least, to count."""


@dataclass(frozen=True)
class Shown:
    """The frozen model's distributions at some positions.

    Attributes:
        tokens: (positions, kept) token ids.
        logs: (positions, kept) natural-log probabilities; of what is not kept at all -inf.
    """

    tokens: Tensor
    logs: Tensor

    def to(self, device: Any) -> Shown:
        return Shown(self.tokens.to(device), self.logs.to(device))


def shown(
    model: Any,
    rows: Mapping[str, tuple[list[int], int]],
    top_k: int,
    budget: int,
    *,
    rest: bool,
    advance: Callable[[int], None] = lambda count: None,
) -> dict[str, Shown]:
    """The model's own distributions at the answers of `rows`, by name; memory may be too short for some.

    Args:
        model: a transformers model without the adapter that is to be trained.
        rows: the prompt's and the answer's tokens, and how many of these are the answer's.
        top_k: tokens kept at a position.
        budget: most tokens of a batch.
        rest: see `divergence`; else the kept ones are renormalised.
        advance: called with 1 for each row.
    """
    names = list(rows)
    items = [Answered(i, *rows[name]) for i, name in enumerate(names)]
    found: dict[str, Shown] = {}
    scorer = LogprobScorer(model, Forward(model))
    with weights.answering(model):
        for index, values in scorer.read(items, budget, most_probable(top_k)):
            advance(1)
            if not len(values):
                continue
            logs = values[..., 1]
            logs = logs if rest else logs - logs.logsumexp(-1, keepdim=True)
            found[names[index]] = Shown(values[..., 0].long().cpu(), logs.float().cpu())
    return found


def one_hot(targets: Tensor, kept: int) -> Shown:
    """The distributions that give all to the tokens `targets`, so that D_t is the negative log-likelihood."""
    tokens = targets[:, None].expand(-1, kept).clone()
    logs = torch.full(tokens.shape, -torch.inf, device=targets.device)
    logs[:, 0] = 0.0
    return Shown(tokens, logs)


def divergence(logits: Tensor, teacher: Shown, *, rest: bool = False) -> Tensor:
    """Forward KL in nats at each position: (positions,).

    Args:
        logits: the student's, (positions, vocabulary).
        rest: what the teacher's other tokens have counts as one more token.
    """
    return _Divergence.apply(logits.float(), teacher.tokens, teacher.logs, rest)  # type: ignore[no-any-return, no-untyped-call]


class _Divergence(torch.autograd.Function):
    """(logits z, tokens, log p, rest) -> D; with q = softmax(z), Q and P the sums of q and p over the kept:

        D = sum over the kept of p (log p - log q) + (1 - P) (log (1 - P) - log (1 - Q))
        dD/dz_v = (P - r Q) q_v + [v is kept] (r q_v - p_v)        r = (1 - P) / (1 - Q), 0 without the rest

    Left to autograd it takes a handful of tensors of the size of the logits; so it takes one, the gradient.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor, logs: Tensor, rest: bool) -> Tensor:
        total = torch.cat([part.logsumexp(1) for part in torch.split(logits, POSITIONS)])
        q = logits.gather(1, tokens) - total[:, None]
        p = logs.exp()
        found = torch.where(p > 0, p * (logs - q), 0.0).sum(1)
        kept = q.exp()
        ratio = torch.zeros_like(total)
        if rest:
            # where all is kept (a target given as it is) the teacher's rest is 0, and nothing is added
            left = (1 - p.sum(1)).clamp(min=0)
            least = torch.finfo(q.dtype).tiny
            others = (1 - kept.sum(1)).clamp(min=least)
            counts = left > UNKEPT
            found = found + torch.where(counts, left * (left.clamp(min=UNKEPT).log() - others.log()), 0.0)
            ratio = torch.where(counts & (others > least), left / others, 0.0)
        ctx.save_for_backward(logits, total, tokens, p, kept, ratio)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        logits, total, tokens, p, kept, ratio = ctx.saved_tensors
        scale = (p.sum(1) - ratio * kept.sum(1)) * grad
        at = (ratio[:, None] * kept - p) * grad[:, None]
        result = torch.empty_like(logits)
        for start in range(0, len(logits), POSITIONS):
            part = slice(start, start + POSITIONS)
            torch.sub(logits[part], total[part, None], out=result[part])
            result[part].exp_().mul_(scale[part, None]).scatter_add_(1, tokens[part], at[part])
        return result, None, None, None


def rows_of(lm: HasWeights, examples: Sequence[Example]) -> dict[str, tuple[list[int], int]]:
    """What the frozen model reads for each example that has a teacher, by id: the same answer tokens last."""
    chosen = list({e.id: e for e in examples if e.teacher}.values())
    tokens = shared.Tokens(lm)
    prompts = tokens.prompts([e.teacher for e in chosen])
    answers = tokens.answers([e.prompt for e in chosen], [e.completion for e in chosen])
    return {
        e.id: ([*prompt, *answer], len(answer))
        for e, prompt, answer in zip(chosen, prompts, answers, strict=True)
    }
