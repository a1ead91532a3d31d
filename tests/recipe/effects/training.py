"""Keys of training: seen in what trainers, PEFT and samplers are given, before anything is trained."""

from __future__ import annotations

from typing import Any

import torch

from selfstudy.models.lora_targets import lora_config
from selfstudy.recipe import LoraBlock, TeachBlock, TrainingBlock
from selfstudy.teach.trainers import online_dpo, shared

from . import Effect, rows


class Layers(torch.nn.Module):
    """Two linear layers that PEFT may adapt, on the CPU."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

    def get_output_embeddings(self) -> None:
        """There is no vocabulary to leave out."""

    def prepare_inputs_for_generation(self) -> None:
        """PEFT wants it of models that answer; nobody calls it."""


def setting(lora: LoraBlock | None = None) -> shared.Setting:
    return shared.Setting("taught", "phase", lora or LoraBlock(), seed=0, tokens=600)


def adapter(block: LoraBlock) -> object:
    return {name: str(value) for name, value in lora_config(Layers(), block).to_dict().items()}


def given(block: Any) -> object:
    """What transformers' Trainer is given for 100 rows."""
    return shared.arguments(setting(), block, Layers(), [{"input_ids": [1] * 10}] * 100, 1)


def rate(block: TrainingBlock) -> object:
    """The learning rates of a phase of 100 updates."""
    return [shared.rate(at, 100, setting().rate(block), block.warmup) for at in range(100)]


def phase_rates(block: TeachBlock) -> object:
    return [setting().rate(phase) for phase in block.plan]


def answering(block: Any) -> object:
    return online_dpo.how_to_answer(block, seed=0)


PASSES: dict[str, Any] = {"learning_rate": 1e-3, "warmup": 0.4, "epochs": 7, "batch_size": 5}
EFFECTS: dict[str, Effect] = {
    **rows("LoraBlock", adapter, {}, r=3, alpha=7, dropout=0.2, target_modules=["first"]),
    **rows("SFTBlock", given, {}, **PASSES),
    **rows("DPOBlock", given, {}, **PASSES),
    **rows("DistillBlock", given, {}, **PASSES),
    **rows("SocraticBlock", given, {}, **PASSES),
    **rows("RejectionBlock", given, {}, **PASSES),
    **rows("OnlineDPOBlock", rate, {}, learning_rate=1e-3, warmup=0.4),
    **rows("PPOBlock", rate, {}, learning_rate=1e-3, warmup=0.4),
    **rows("GRPOBlock", rate, {}, learning_rate=1e-3, warmup=0.4),
    **rows("OnlineDPOBlock", answering, {"top_k": 4}, temperature=0.3, penalty_alpha=0.6),
    **rows("OnlineDPOBlock", answering, {"penalty_alpha": 0.6, "top_k": 4}, top_k=5),
    **{
        key: effect
        for name in ("sft", "dpo", "distill", "socratic", "online_dpo", "rejection", "ppo", "grpo")
        for key, effect in rows(
            "TeachBlock",
            phase_rates,
            {"method": name.replace("_", "-")},
            **{name: {"learning_rate": 0.01}},
        ).items()
    },
}
"""By `Block.key`."""
