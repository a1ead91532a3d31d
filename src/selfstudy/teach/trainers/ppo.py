"""PPO with rewards for tokens (Schulman et al. 2017, arXiv 1707.06347; Huang et al. 2024, arXiv 2402.04315).

The value network begins as the policy, with a head of its own; with LoRA it shares the frozen weights and has
an adapter of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from peft import get_peft_model
from torch import Tensor, nn

from selfstudy.models.local import weights
from selfstudy.models.local.weights import answering_model
from selfstudy.recipe import PPOBlock
from selfstudy.teach import advantages, losses
from selfstudy.teach.trainers import policy_gradient, rollouts, shared
from selfstudy.teach.trainers.policy_gradient import PolicyTraining, RolloutPart
from selfstudy.teach.trainers.rollouts import Columns, Matrices


class _PPO(PolicyTraining[PPOBlock]):
    def _beside(self, model: Any) -> nn.Module:
        lora = self._setting.lora
        value: Any = weights.beside(model) if lora else copy.deepcopy(model)
        if lora:
            value = shared.build(get_peft_model, value, lora)
        core = answering_model(value)
        words = core.get_output_embeddings()
        core.set_output_embeddings(_Head(words.in_features).to(words.weight.device))
        return cast(nn.Module, value)

    def _groups(self) -> list[dict[str, Any]]:
        value = [p for p in self._parts["beside"].parameters() if p.requires_grad]
        rate = self._block.value_rate or self._setting.rate(self._block)
        return [*super()._groups(), {"params": value, "highest": rate}]

    def _values(self, batch: dict[str, Tensor]) -> Tensor:
        return rollouts.values(self._parts["beside"], batch, self._packing)

    def _told(self, parts: Sequence[RolloutPart]) -> list[Columns]:
        values = self._rows(parts, self._values)
        return [one | {"values": row} for one, row in zip(super()._told(parts), values, strict=True)]

    def _prepared(
        self, made: Matrices, columns: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        block, mask, values = self._block, made.mask, columns["values"]
        shaped = advantages.shaped(made.rewards, columns["old"], columns["reference"], mask, block.kl)
        white = advantages.whitened(shaped, mask, shift=False, published=block.published)
        found, returns = advantages.gae(
            white, values, mask, gamma=block.gamma, lam=block.lam, published=block.published
        )
        found = advantages.whitened(found, mask, published=block.published)
        prepared = {"advantages": found, "returns": returns, "old": columns["old"], "values": values}
        return prepared, {
            "shaped_reward": float((shaped * mask).sum() / len(mask)),
            "explained": _explained(values[mask], returns[mask]),
        }

    def _backward(
        self, where: slice, batch: dict[str, Tensor], made: Matrices, prepared: dict[str, Tensor]
    ) -> float:
        block, total = self._block, int(made.mask.sum())
        policy = self._logprobs(self.model, batch)
        mask = made.mask[where, : policy.shape[1]]
        own = {name: matrix[where, : policy.shape[1]] for name, matrix in prepared.items()}
        loss = losses.policy_loss(policy, own["old"], own["advantages"], mask, clip=block.clip, total=total)
        torch.autograd.backward(loss)
        values = self._values(batch)
        error = losses.value_loss(
            values, own["values"], own["returns"], mask, clip=block.value_clip, total=total
        )
        torch.autograd.backward(error)
        return float(loss.detach() + error.detach())


class _Head(nn.Module):
    """One number for a state: hidden -> hidden, GELU -> 1; 0 at the start."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.weight_in = nn.Linear(hidden, hidden)
        self.weight_out = nn.Linear(hidden, 1)
        nn.init.zeros_(self.weight_out.weight)
        nn.init.zeros_(self.weight_out.bias)

    @property
    def weight(self) -> Tensor:
        """As a vocabulary layer has one, whose number type some models ask for."""
        return self.weight_out.weight

    def forward(self, states: Tensor) -> Tensor:
        return torch.as_tensor(self.weight_out(nn.functional.gelu(self.weight_in(states.float()))))


def _explained(values: Tensor, returns: Tensor) -> float:
    """The share of the returns' variance that the values account for; 0 where there is none."""
    whole = float(returns.var(unbiased=False))
    return 1 - float((returns - values).var(unbiased=False)) / whole if whole else 0.0


train = partial(policy_gradient.run, _PPO)
"""See `policy_gradient.run`."""
