"""Supervised training on examples: TRL's SFTTrainer with LoRA and a loss that computes no more than it needs.

The vocabulary layer runs on the positions that are learned, not on the prompt; loss and gradients are the
same.  What else was tried, and how fast each is: docs/decisions/0006-one-pass-a-batch.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from selfstudy.models.base import HasWeights
from selfstudy.progress import Reporter
from selfstudy.recipe import SFTBlock
from selfstudy.records import Example
from selfstudy.teach.trainers import fast_lora, shared


def train(
    model: Any,
    lm: HasWeights,
    examples: Sequence[Example],
    block: SFTBlock,
    setting: shared.Setting,
    report: Reporter,
) -> shared.Trained:
    """Trains a new LoRA adapter on `model` (which becomes part of the result).

    Args:
        model: a transformers model that is nobody else's, see `shared.training_copy`.
        lm: the local model that it was copied from: its tokenizer and chat format are used.
        examples: one epoch; an example that is there twice is seen twice.

    Raises:
        ModelError: peft cannot adapt the model, or no example fits into its context.
    """
    rows, dropped = shared.readable(model, tokenised(lm, examples), [e.id for e in examples])
    with shared.isolated(setting.seed):
        trainer = shared.build(
            _Trainer,
            model,
            setting.lora,
            args=SFTConfig(**shared.arguments(setting, block, model, rows, 1)),
            train_dataset=Dataset.from_list(rows),
            processing_class=shared.own_tokenizer(lm),
        )
        fast_lora.accelerate(trainer.model)
        return replace(shared.run(trainer, setting, block, report), dropped=dropped)


def tokenised(lm: HasWeights, examples: Sequence[Example]) -> list[shared.TokenRow]:
    """`input_ids` and `labels` of each example; labels are -100 on the prompt. No truncation."""
    tokens = shared.Tokens(lm)
    prompts = tokens.prompts([e.prompt for e in examples])
    answers = tokens.answers([e.prompt for e in examples], [e.completion for e in examples])
    return [
        {"input_ids": [*prompt, *answer], "labels": [*([-100] * len(prompt)), *answer]}
        for prompt, answer in zip(prompts, answers, strict=True)
    ]


class _Trainer(SFTTrainer):  # type: ignore[misc]
    def _send_telemetry(self) -> None:
        """Nothing leaves this machine."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        data = self.train_dataset if train_dataset is None else train_dataset
        size = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        return shared.ByLength(data["input_ids"], size, self.args.seed)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean negative log-likelihood of the learned tokens of the batch."""
        core = self.accelerator.unwrap_model(model)
        head = core.get_output_embeddings()
        if core is not model or head is None or return_outputs:  # several devices, or an unusual model
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        targets = F.pad(inputs["labels"][:, 1:], (0, 1), value=-100)
        learned = targets != -100
        hook = head.register_forward_pre_hook(lambda _, given: (given[0][learned],))
        try:
            logits = model(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
            ).logits
        finally:
            hook.remove()
        loss = F.cross_entropy(logits.float(), targets[learned], reduction="sum")
        count = learned.sum() if num_items_in_batch is None else num_items_in_batch
        return loss / torch.as_tensor(count).clamp(min=1)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        # past TRL's own metrics, which its loss would have collected
        super(SFTTrainer, self).log(logs, start_time)
