"""Preference training on pairs: TRL's DPOTrainer with LoRA (Rafailov et al. 2023, arXiv 2305.18290).

The reference model is the same model with the adapter switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer
from trl.trainer.utils import disable_dropout_in_model

from selfstudy.models.base import HasWeights
from selfstudy.progress import Reporter
from selfstudy.recipe import PairsBlock
from selfstudy.records import Pair
from selfstudy.teach.trainers import fast_lora, shared


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
    # TRL would switch off the adapter's dropout too.  That of the model has to be off, so that model and
    # reference differ by the adapter alone.
    disable_dropout_in_model(model)
    with shared.isolated(setting.seed):
        trainer = shared.build(
            _Trainer,
            model,
            setting.lora,
            args=DPOConfig(
                **shared.arguments(setting, block, model, rows, 2),
                beta=block.beta,
                disable_dropout=False,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=shared.own_tokenizer(lm),
        )
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


class _Trainer(DPOTrainer):  # type: ignore[misc]
    def _send_telemetry(self) -> None:
        """Nothing leaves this machine."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # is tokenised already

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        data = self.train_dataset if train_dataset is None else train_dataset
        size = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        return shared.ByLength(data["prompt_ids"], size, self.args.seed)
