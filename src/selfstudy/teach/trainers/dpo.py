"""Preference training on given pairs: TRL's DPOTrainer with LoRA and a loss that computes what it needs.

The reference is the model as it was before the training, and is asked once for each pair.  What else was
tried, and how fast each is: docs/decisions/0015-preferences-in-one-pass.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from trl import DPOConfig, DPOTrainer

from selfstudy.models.base import HasWeights
from selfstudy.progress import Reporter
from selfstudy.recipe import PairsBlock
from selfstudy.records import Pair
from selfstudy.teach.trainers import fast_lora, packed, preference, shared


def train(
    model: Any,
    lm: HasWeights,
    pairs: Sequence[Pair],
    block: PairsBlock,
    setting: shared.Setting,
    report: Reporter,
) -> shared.Trained:
    """Trains a new LoRA adapter on `model` (which becomes part of the result).

    Args:
        model: a transformers model that is nobody else's: the start, and the reference.
        lm: the local model whose tokenizer and chat format are used.
        pairs: one epoch; a pair that is there twice is seen twice.

    Raises:
        ModelError: peft cannot adapt the model, or no pair fits into its context.
    """
    rows, dropped = shared.readable(model, tokenised(lm, pairs), [p.id for p in pairs])
    shared.without_dropout(model)  # TRL would switch off the adapter's too
    packing = packed.Packing()
    table = _with_references(model, rows, packing, setting, report)
    with shared.isolated(setting.seed):
        trainer = shared.build(
            _Trainer,
            model,
            setting.lora,
            args=DPOConfig(
                **shared.arguments(_fitting(setting, model, rows), block, model, rows, 2)
                | {"remove_unused_columns": False},
                beta=block.beta,
                disable_dropout=False,
            ),
            train_dataset=Dataset.from_list(table),
            processing_class=shared.own_tokenizer(lm),
            data_collator=_collated,
        )
        trainer.packing, trainer.likelihood = packing, block.likelihood
        fast_lora.accelerate(trainer.model)
        return replace(shared.run(trainer, setting, block, report), dropped=dropped)


def tokenised(lm: HasWeights, pairs: Sequence[Pair]) -> list[shared.TokenRow]:
    """`prompt_ids`, `chosen_ids` and `rejected_ids` of each pair, exactly as generation sees them."""
    tokens = shared.Tokens(lm)
    chats = [pair.prompt for pair in pairs]
    columns = zip(
        tokens.prompts(chats),
        tokens.answers(chats, [pair.chosen for pair in pairs]),
        tokens.answers(chats, [pair.rejected for pair in pairs]),
        strict=True,
    )
    return [{"prompt_ids": p, "chosen_ids": c, "rejected_ids": r} for p, c, r in columns]


def _with_references(
    model: Any,
    rows: Sequence[shared.TokenRow],
    packing: packed.Packing,
    setting: shared.Setting,
    report: Reporter,
) -> list[dict[str, Any]]:
    """The rows with how likely both answers are before the training."""
    order = sorted(range(len(rows)), key=lambda place: shared.length(rows[place]))
    found: list[list[float]] = []
    trained = model.training
    model.eval()
    with torch.no_grad(), report.task(f"{setting.phase}: the model before", len(rows)) as advance:
        for part in preference.parts(model, [rows[place] for place in order], setting.tokens):
            batch = preference.collated(part, model.device)
            found += preference.logprobs(model, batch, packing).tolist()
            advance(len(part))
    model.train(trained)
    table: list[dict[str, Any]] = [dict(row) for row in rows]
    for place, pair in zip(order, found, strict=True):
        table[place]["reference"] = pair
    return table


def _fitting(setting: shared.Setting, model: Any, rows: Sequence[shared.TokenRow]) -> shared.Setting:
    """The setting with as many tokens a pass as may be kept for the gradient."""
    longest = 2 * max(map(shared.length, rows))
    learned = max(len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows)
    kept = shared.kept_bytes(model, longest, learned)
    return (
        replace(setting, tokens=min(setting.tokens, int(longest * shared.KEPT / kept))) if kept else setting
    )


def _collated(rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    return {**preference.collated(rows), "reference": torch.tensor([row["reference"] for row in rows])}


class _Trainer(DPOTrainer):  # type: ignore[misc]
    packing: packed.Packing
    likelihood: float
    right = pairs = 0
    """Pairs since the last point of the curve, and of these the ones whose better answer gained more."""

    def _send_telemetry(self) -> None:
        """Nothing leaves this machine."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # is tokenised already

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        data = self.train_dataset if train_dataset is None else train_dataset
        size = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        return shared.ByLength(data["prompt_ids"], size, self.args.seed)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean over the pairs of the batch."""
        core = self.accelerator.unwrap_model(model)
        policy = preference.logprobs(core, inputs, self.packing)
        gained = (policy - inputs["reference"]).detach()
        self.right += int((gained[:, 0] > gained[:, 1]).sum())
        self.pairs += len(gained)
        values = preference.loss(policy, inputs["reference"], self.beta)
        if self.likelihood:
            values = values + self.likelihood * preference.chosen_loss(policy, inputs)
        return values.mean()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if self.pairs:
            logs = {**logs, "accuracy": self.right / self.pairs}
            self.right = self.pairs = 0
        super(DPOTrainer, self).log(
            logs, start_time
        )  # past TRL's metrics, which its own loss would have told
