"""Training on answers: TRL's SFTTrainer, and a loss that computes no more than it needs.

An example with a teacher is learned as a distribution (distill.py), one without as the text it is.  The
vocabulary layer runs on the positions that are learned, not on the prompt, and what prompts share is run once
(packed.py); loss and gradients are the same.
What else was tried, and how fast each is: docs/decisions/0006-one-pass-a-batch.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from datasets import Dataset
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from trl import SFTConfig, SFTTrainer

from selfstudy.errors import ModelError
from selfstudy.models.base import HasWeights
from selfstudy.progress import Reporter
from selfstudy.recipe import AnswersBlock, DistillBlock, ExamplesBlock
from selfstudy.records import Chat, Example
from selfstudy.teach.lesson import SHOWING
from selfstudy.teach.trainers import distill, fast_lora, memory, order, packed, shared, together

IGNORED = -100
"""What stands in the labels where nothing is learned."""
SHOWN = 2048
"""Most tokens that the frozen model reads at once on the CPU, where more take memory and save no time."""


def train(
    model: Any,
    lm: HasWeights,
    examples: Sequence[Example],
    block: AnswersBlock,
    setting: shared.Setting,
    report: Reporter,
) -> shared.Trained:
    """Trains a new LoRA adapter on `model` (which becomes part of the result), or all its weights.

    Args:
        model: a transformers model that is nobody else's, see `shared.training_copy`.
        lm: the local model that it was copied from: its tokenizer and chat format are used.
        examples: one epoch; an example that is there twice is seen twice.

    Raises:
        ModelError: peft cannot adapt the model, or no example fits into its context.
    """
    rows, dropped = shared.readable(model, tokenised(lm, examples, _skipped(block)), [e.id for e in examples])
    left = [e for e in examples if e.id not in dropped]
    shown, unshown = _shown(model, lm, left, block, setting, report)
    names = list(shown)
    places = {name: place for place, name in enumerate(names)}
    orders: dict[Chat, int] = {}
    items = [(e.id, e.question_id) for e in left if e.id not in unshown]
    table: list[dict[str, Any]] = [
        {
            **row,
            "teacher": [places.get(e.id, -1)],
            "weight": [_weight(block, e)],
            "order": [orders.setdefault(_demonstrations(e), len(orders))],
        }
        for row, e in zip(rows, left, strict=True)
        if e.id not in unshown
    ]
    if not table:
        raise ModelError(
            f"no example can be trained on; the first: {next(iter(unshown.values()))}",
            "use a model with a longer context, a smaller one, or shorter passages: gather.chunk_tokens",
        )
    table = order.with_filler(
        table, model, labels=lambda row: [IGNORED] * len(row["labels"]), teacher=lambda row: [-1]
    )
    with shared.isolated(setting.seed):
        trainer = shared.build(
            _Trainer,
            model,
            setting.lora,
            args=SFTConfig(
                **shared.arguments(setting, block, model, table[: len(items)], 1)
                | {"remove_unused_columns": False}
            ),
            train_dataset=Dataset.from_list(table),
            processing_class=(tokenizer := shared.own_tokenizer(lm)),
            data_collator=_Collator(tokenizer.pad_token_id),
        )
        trainer.teachers = [shown[name] for name in names]
        trainer.rest = isinstance(block, ExamplesBlock) and block.rest
        trainer.packing = packed.Packing()
        if not trainer.divides:
            fast_lora.accelerate(trainer.model)
        trained = shared.run(trainer, setting, block, report, len(items))
        return replace(trained, dropped=dropped | unshown, seen=order.seen(trainer, items))


def _demonstrations(example: Example) -> Chat:
    return tuple(turn for turn in example.prompt if turn.demonstration)


def _weight(block: AnswersBlock, example: Example) -> float:
    """Of each token, against those of what is taught."""
    if isinstance(block, ExamplesBlock) and example.teacher == example.prompt:
        return block.keep
    return 1.0


def _skipped(block: AnswersBlock) -> int:
    return block.skip if isinstance(block, DistillBlock) else 0


def tokenised(lm: HasWeights, examples: Sequence[Example], skip: int = 0) -> list[shared.TokenRow]:
    """`input_ids` and `labels` of each example; labels are -100 on the prompt. No truncation.

    Args:
        skip: first tokens of an answer that are not learned either, of gaps that the frozen model shows.
    """
    tokens = shared.Tokens(lm)
    prompts = tokens.prompts([e.prompt for e in examples])
    answers = tokens.answers([e.prompt for e in examples], [e.completion for e in examples])
    rows = []
    for example, prompt, answer in zip(examples, prompts, answers, strict=True):
        left = min(skip, len(answer)) if example.teacher and example.kind == "reference" else 0
        labels = [*([IGNORED] * (len(prompt) + left)), *answer[left:]]
        rows.append({"input_ids": [*prompt, *answer], "labels": labels})
    return rows


def _shown(
    model: Any,
    lm: HasWeights,
    examples: Sequence[Example],
    block: AnswersBlock,
    setting: shared.Setting,
    report: Reporter,
) -> tuple[dict[str, distill.Shown], dict[str, str]]:
    """What the frozen model shows for the examples with a teacher, by id, and why it cannot for others."""
    rows = distill.rows_of(lm, examples)
    if not rows or not isinstance(block, ExamplesBlock):  # what is chosen by a search has no teacher
        return {}, {}
    dropped = shared.unreadable(model, [{"input_ids": ids} for ids, _ in rows.values()], list(rows))
    rows = {name: row for name, row in rows.items() if name not in dropped}
    tokens = min(setting.tokens, SHOWN) if model.device.type == "cpu" else setting.tokens
    with report.task(f"{setting.phase}: {SHOWING}", len(rows)) as advance:
        shown = distill.shown(model, rows, block.top_k, tokens, rest=block.rest, advance=advance)
    dropped |= {name: "out of memory with the page in view" for name in rows if name not in shown}
    return shown, dropped


class _Collator:
    """Pads a batch on the right, and says which teacher each row has (-1: none), and its weight."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, rows: Sequence[Mapping[str, list[Any]]]) -> dict[str, Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)

        def padded(column: str, value: int) -> Tensor:
            return torch.tensor([[*row[column], *[value] * (longest - len(row[column]))] for row in rows])

        return {
            "input_ids": padded("input_ids", self._pad),
            "labels": padded("labels", IGNORED),
            "attention_mask": torch.tensor(
                [[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows]
            ),
            "teacher": torch.tensor([row["teacher"][0] for row in rows]),
            "weight": torch.tensor([row["weight"][0] for row in rows]),
        }


class _Trainer(together.Together, SFTTrainer):  # type: ignore[misc]
    teachers: Sequence[distill.Shown] = ()
    rest = False
    packing: packed.Packing

    def _send_telemetry(self) -> None:
        """Nothing leaves this machine."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        data = self.train_dataset if train_dataset is None else train_dataset
        return order.in_order(self, data["input_ids"], [number for (number,) in data["order"]])

    def learned(self, batch: Any) -> Tensor:
        """Tokens."""
        return torch.as_tensor((batch["labels"][:, 1:] != IGNORED).sum())

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Over the learned tokens of the batch: negative log-likelihood, or a teacher's divergence.

        A sum, in which what is to stay as it was has its weight (`ExamplesBlock.keep`), divided by the number
        of tokens, not by their weights.
        """
        core = self.accelerator.unwrap_model(model)
        total = together.inside(model, core, lambda: self._sum(core, inputs))
        count = self.learned(inputs) if num_items_in_batch is None else num_items_in_batch
        return self.scaled(total, count)

    def _sum(self, model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        """The loss of all learned tokens of some rows.

        Where a forward pass would keep too much for its gradient, it is run half by half, and each half again
        when its gradient is wanted.
        """
        head = model.get_output_embeddings()
        alone = head is not None
        tokens, mask = inputs["input_ids"], inputs["attention_mask"]
        batch = self.packing.pack(model, model, tokens, mask) if alone else None
        size = tokens.numel() if batch is None else batch.tokens.numel()
        targets = F.pad(inputs["labels"][:, 1:], (0, 1), value=IGNORED)
        learned = targets != IGNORED
        if alone and len(tokens) > 1 and memory.kept_bytes(model, size, int(learned.sum())) > memory.KEPT:
            del batch
            halves = zip(*(column.tensor_split(2) for column in inputs.values()), strict=True)
            parts = [dict(zip(inputs, half, strict=True)) for half in halves]
            losses = [checkpoint(self._sum, model, part, use_reentrant=False) for part in parts]
            return torch.stack(losses).sum()
        if batch is not None:
            logits = packed.forward(model, batch, batch.places[learned])
        else:
            logits = shared.logits_at(model, head if alone else None, tokens, mask, learned)
        if not self.teachers:
            return F.cross_entropy(logits.float(), targets[learned], reduction="sum")
        teacher = self._taught(inputs["teacher"], targets, learned)
        found = distill.divergence(logits, teacher, rest=self.rest)
        weight = inputs["weight"].repeat_interleave(learned.sum(1), output_size=len(found))
        return (found * weight).sum()

    def _taught(self, chosen: Tensor, targets: Tensor, learned: Tensor) -> distill.Shown:
        """What each learned position is to be like, row by row."""
        kept = self.teachers[0].tokens.shape[1]
        found = distill.one_hot(targets[learned], kept)
        start = 0
        for place, count in zip(chosen.tolist(), learned.sum(1).tolist(), strict=True):
            if place >= 0 and count:
                shown = self.teachers[place].to(targets.device)
                found.tokens[start : start + count] = shown.tokens[-count:]  # without those that are skipped
                found.logs[start : start + count] = shown.logs[-count:]
            start += count
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        # past TRL's own metrics, which its loss would have collected
        super(SFTTrainer, self).log(logs, start_time)
