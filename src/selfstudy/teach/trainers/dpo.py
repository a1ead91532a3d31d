"""Preference training on given pairs: TRL's DPOTrainer, and a loss that computes what it needs.

The reference is the model as it was before the training, and is asked once for each pair.  What else was
tried, and how fast each is: docs/decisions/0015-preferences-in-one-pass.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from trl import DPOConfig, DPOTrainer

from selfstudy.models.base import HasWeights
from selfstudy.models.local.weights import answering_model
from selfstudy.progress import Reporter
from selfstudy.recipe import PairsBlock
from selfstudy.records import Pair
from selfstudy.teach.trainers import fast_lora, memory, order, packed, preference, processes, shared, together


def train(
    model: Any,
    lm: HasWeights,
    pairs: Sequence[Pair],
    block: PairsBlock,
    setting: shared.Setting,
    report: Reporter,
) -> shared.Trained:
    """Trains a new LoRA adapter on `model` (which becomes part of the result), or all its weights.

    Args:
        model: a transformers model that is nobody else's: the start, and the reference.
        lm: the local model whose tokenizer and chat format are used.
        pairs: one epoch; a pair that is there twice is seen twice.

    Raises:
        ModelError: peft cannot adapt the model, or no pair fits into its context.
    """
    rows, dropped = shared.readable(model, tokenised(lm, pairs), [p.id for p in pairs])
    shared.without_dropout(model)  # TRL would switch off the adapter's too
    parts = {pair.id: pair.part for pair in pairs}
    left = [parts[pair.id] for pair in pairs if pair.id not in dropped]
    table: list[dict[str, Any]] = [
        {**row, "place": place, "part": part}
        for place, (row, part) in enumerate(zip(rows, left, strict=True))
    ]
    table = order.with_filler(table, model, part=lambda row: 0.0)
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
                precompute_ref_log_probs=setting.lora is None,  # else TRL loads the model once more
            ),
            train_dataset=Dataset.from_list(table),
            processing_class=shared.own_tokenizer(lm),
            data_collator=_collated,
        )
        trainer.packing, trainer.likelihood = packed.Packing(), block.likelihood
        if not trainer.divides:
            fast_lora.accelerate(trainer.model)
        # all weights are trained under autocast, an adapter's model is run inside of what is
        with trainer.accelerator.autocast() if setting.lora is None else nullcontext():
            trainer.references = _references(trainer.model, rows, trainer.packing, setting, report)
        trained = shared.run(trainer, setting, block, report, len(rows))
        items = [(pair.id, pair.question_id) for pair in pairs if pair.id not in dropped]
        return replace(trained, dropped=dropped, seen=order.seen(trainer, items))


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


def _references(
    model: Any,
    rows: Sequence[shared.TokenRow],
    packing: packed.Packing,
    setting: shared.Setting,
    report: Reporter,
) -> Tensor:
    """(rows, 2): how likely both answers of each row are before the training.

    Args:
        model: what will be trained, whose adapter changes nothing yet: it computes as it does in training.
    """
    order = sorted(range(len(rows)), key=lambda place: shared.length(rows[place]))
    found = torch.zeros(len(rows), 2)
    team = processes.join(model.device)
    done = 0
    model.train()
    with (
        torch.no_grad(),
        torch.random.fork_rng(),  # dropout of the adapter draws, though nothing comes of it
        report.task(f"{setting.phase}: the model before", len(rows)) as advance,
    ):
        core, sorted_ = answering_model(model), [rows[place] for place in order]
        cut = shared.parts(core, sorted_, setting.tokens, preference.ANSWERS)
        for number, part in enumerate(cut):
            if number % team.count == team.rank:
                batch = preference.collated(part, model.device)
                places = order[done : done + len(part)]
                found[places] = preference.logprobs(model, batch, packing).float().cpu()
            done += len(part)
            advance(len(part))
    return torch.stack(team.gathered(found)).sum(0)  # each row is of one process


def _fitting(setting: shared.Setting, model: Any, rows: Sequence[shared.TokenRow]) -> shared.Setting:
    """The setting with as many tokens a pass as may be kept for the gradient."""
    longest = 2 * max(map(shared.length, rows))
    learned = max(len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows)
    kept = memory.kept_bytes(model, longest, learned)
    return (
        replace(setting, tokens=min(setting.tokens, int(longest * memory.KEPT / kept))) if kept else setting
    )


def _collated(rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """A batch; `place` is the number of each pair, `part` of the loss what it counts for."""
    columns = {name: torch.tensor([row[name] for row in rows]) for name in ("place", "part")}
    return {**preference.collated(rows), **columns}


class _Trainer(together.Together, DPOTrainer):  # type: ignore[misc]
    packing: packed.Packing
    likelihood: float
    references: Tensor
    right = pairs = 0
    """Pairs since the last point of the curve, and of these the ones whose better answer gained more."""

    def _send_telemetry(self) -> None:
        """Nothing leaves this machine."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # is tokenised already

    def _precompute_ref_logps(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # has them already

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        data = self.train_dataset if train_dataset is None else train_dataset
        return order.in_order(self, data["prompt_ids"])

    def learned(self, batch: Any) -> Tensor:
        """Pairs, each as much as it counts for."""
        return torch.as_tensor(batch["part"].sum())

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean over the pairs of an optimizer step, each with its part."""
        core = self.accelerator.unwrap_model(model)
        total = together.inside(model, core, lambda: self._sum(core, inputs))
        count = self.learned(inputs) if num_items_in_batch is None else num_items_in_batch
        return self.scaled(total, count)

    def _sum(self, core: Any, inputs: Any) -> Tensor:
        policy = preference.logprobs(core, inputs, self.packing)
        reference = self.references[inputs["place"].cpu()].to(policy)
        part: Tensor = inputs["part"].to(policy)
        gained = (policy - reference).detach()[part > 0]
        self.right += int((gained[:, 0] > gained[:, 1]).sum())
        self.pairs += len(gained)
        values = preference.loss(policy, reference, self.beta)
        if self.likelihood:
            values = values + self.likelihood * preference.chosen_loss(policy, inputs)
        return (values * part).sum()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        seen = torch.tensor([[self.right, self.pairs]], device=self.accelerator.device)
        right, pairs = self.accelerator.gather(seen).sum(0).tolist()
        if pairs:
            logs = {**logs, "accuracy": right / pairs}
            self.right = self.pairs = 0
        super(DPOTrainer, self).log(
            logs, start_time
        )  # past TRL's metrics, which its own loss would have told
