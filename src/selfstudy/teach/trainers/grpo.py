"""GRPO: answers to one question are held against each other (Shao et al. 2024, arXiv 2402.03300, section 4).

An advantage for each sentence or item, by what is still earned from there on, or one for all of an answer.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from selfstudy.recipe import GRPOBlock
from selfstudy.teach import advantages, losses
from selfstudy.teach.trainers import policy_gradient
from selfstudy.teach.trainers.policy_gradient import PolicyTraining
from selfstudy.teach.trainers.rollouts import Matrices


class _GRPO(PolicyTraining[GRPOBlock]):
    COMPARES = True

    def _prepared(
        self, made: Matrices, columns: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        segments = made.segments
        if self._block.advantages == "answer":
            segments = torch.zeros_like(segments)
        found, idle = advantages.segment_advantages(
            made.rewards, segments, made.mask, made.groups, scale=self._block.scale
        )
        return columns | {"advantages": found}, {"groups_without_spread": float(idle)}

    def _backward(
        self, where: slice, batch: dict[str, Tensor], made: Matrices, prepared: dict[str, Tensor]
    ) -> float:
        block = self._block
        policy = self._logprobs(self.model, batch)
        own = {name: matrix[where, : policy.shape[1]] for name, matrix in prepared.items()}
        loss = losses.grpo_loss(
            policy,
            own["old"],
            own["advantages"],
            made.mask[where, : policy.shape[1]],
            clip=block.clip,
            clip_high=block.clip_high,
            reference=own["reference"],
            beta=block.kl,
            aggregation=block.aggregation,
            total=len(made.mask) if block.aggregation != "dapo" else int(made.mask.sum()),
            longest=block.max_new_tokens,
        )
        torch.autograd.backward(loss)
        return float(loss.detach())


train = partial(policy_gradient.run, _GRPO)
"""See `policy_gradient.run`."""
