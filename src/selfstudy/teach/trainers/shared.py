"""What the trainers share: tokens, settings, progress, a copy of the model (order.py: the order of rows).

Decides nothing about what is learned, and writes nothing (checkpoint.py does, for those that go on from one).
"""

from __future__ import annotations

import copy
import math
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback

from selfstudy.errors import ModelError
from selfstudy.models import lora_targets
from selfstudy.models.base import HasWeights
from selfstudy.models.local import adapted, four_bit, loading
from selfstudy.models.local.chat_format import Characters, ChatFormat
from selfstudy.progress import Reporter
from selfstudy.recipe import EpochsBlock, LoraBlock, TrainingBlock
from selfstudy.records import Chat, Pair, TrainedArm, TrainingStep
from selfstudy.teach.trainers import memory, processes
from selfstudy.teach.trainers.seen import Seen

T = TypeVar("T")
TokenRow = dict[str, list[int]]
"""Token ids by column."""

LOGGED = 50
"""Points of a training curve."""
LARGE = 500_000_000
"""Parameters from which activations are computed twice instead of kept."""
CLIPPED = 1.0
"""Longest gradient of a phase that drives its own optimizer, as transformers' Trainer has it."""


@dataclass(frozen=True)
class Setting:
    """What all phases of a training share; the rest is in the block of each.

    Attributes:
        phase: what the phase is called in records.
        lora: the adapter; None: all weights are trained, and there is none.
        tokens: most tokens of one forward pass; a larger batch is cut and its gradients are summed.
        checkpoints: where a phase that can go on from one leaves its own; None: nowhere.
    """

    arm: TrainedArm
    phase: str
    lora: LoraBlock | None
    seed: int
    tokens: int = 16_384
    checkpoints: Path | None = None

    def rate(self, block: TrainingBlock) -> float:
        """The learning rate of a phase for what is trained."""
        return block.rate(full=self.lora is None)


@dataclass
class Trained:
    """A model with its new, unmerged adapter, or with weights that were all trained.

    Attributes:
        failure: why it is of no use, if so.
        dropped: what was not trained on, and why, by id of the record.
        pairs: what was trained on and was not there before.
        idle: why nothing was trained, if so: the model is as it was.
        seen: in which steps what was trained on.
    """

    model: Any
    steps: list[TrainingStep]
    failure: str | None = None
    dropped: dict[str, str] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    idle: str | None = None
    seen: Seen = field(default_factory=Seen)


class Tokens:
    """Token ids exactly as generation sees them: the rendered prompt, the answer, what ends the turn.

    Prompt and answer are tokenised apart, as `LocalLM.logprobs` does, because generation also starts from the
    tokens of the prompt alone.  Thinking that the template opens is closed before the answer.
    """

    def __init__(self, lm: HasWeights) -> None:
        self._format = ChatFormat(lm.tokenizer, lm.model, lm.style)

    def prompts(self, chats: Sequence[Chat]) -> list[list[int]]:
        return self._format.encode([self._format.render_closed(chat) for chat in chats])

    def answers(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text as the answer to its chat, the end of the turn last."""
        return self._format.encode_turns(self._said(chats, texts))

    def begun(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[int]]:
        """The same without the end: of answers that were cut off."""
        return self._format.encode_answers(self._said(chats, texts))

    def located(
        self, chats: Sequence[Chat], texts: Sequence[str], ended: Sequence[bool]
    ) -> list[tuple[str, list[int], list[Characters]]]:
        """Each text as it follows its prompt, its tokens, and the characters of each token in it.

        Args:
            ended: whether the end of the turn is part of it.
        """
        said = self._said(chats, texts)
        both = zip(said, self._format.located(said, ended), strict=True)
        return [(text, ids, places) for text, (ids, places) in both]

    def placed(self, text: str, generated: Sequence[int]) -> list[Characters] | None:
        """The characters of such a text that each generated token holds; see `ChatFormat.placed`."""
        return self._format.placed(text, generated)

    def _said(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[str]:
        return [self._format.answer(chat, text) for chat, text in zip(chats, texts, strict=True)]


def training_copy(lm: HasWeights, *, whole: bool = False) -> Any:
    """A copy of the model to train on, so that the one that answers stays untouched.

    It is in float32 on the CPU and on a card without bfloat16, where gradients in float16 would vanish; to be
    trained as a whole on any, for updates are smaller than the steps of bfloat16.  An adapter is merged in,
    in float32: training starts from the unrounded weights.  Layers of 4 bits stay so (four_bit.py).

    Args:
        whole: all its weights are to be trained; else those that need no conversion are the model's own.
    """
    model = lm.merged_copy(own=whole)
    if not four_bit.is_held(model) and (whole or not loading.has_bfloat16(model.device)):
        model = model.float()
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    return model


def without_dropout(model: Any) -> None:
    """Switches the model's own dropout off: model and reference differ by what is trained alone."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if "drop" in name and isinstance(value, float):  # as transformers calls it where it is no module
                setattr(module, name, 0.0)


@torch.no_grad()
def without_nan(model: Any) -> None:
    """Numbers that are none, of a failed training, become 0: files of weights hold none."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seeds the global generators, which the start of A and dropout use, and puts them back afterwards.

    Warnings that the libraries address to each other are not shown.
    """
    state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)


def merged(model: Any) -> Any:
    """The plain model with its adapter merged in, unrounded, for a next phase; a plain one is itself."""
    if hasattr(model, "peft_config"):
        for parameter in model.parameters():
            parameter.data = parameter.data.clone()  # the model that answers may have the same
    return adapted.merged(model)


def readable(
    model: Any, rows: Sequence[TokenRow], names: Sequence[str], limit: int | None = None
) -> tuple[list[TokenRow], dict[str, str]]:
    """The rows that the model can read, and why not the others, by name (`unreadable`).

    Raises:
        ModelError: it can read none of them.
    """
    dropped = unreadable(model, rows, names, limit)
    kept = [row for row, name in zip(rows, names, strict=True) if name not in dropped]
    if not kept:
        raise ModelError(
            f"none of the {len(rows)} examples can be trained on; the first: {next(iter(dropped.values()))}",
            "use a model with a longer context, or shorter passages: gather.chunk_tokens, teach.sft.reading",
        )
    return kept, dropped


def unreadable(
    model: Any, rows: Sequence[TokenRow], names: Sequence[str], limit: int | None = None
) -> dict[str, str]:
    """The rows that the model cannot read, by name, and why.

    A row is token ids by column; `prompt_ids`, where there is one, comes before each other column.

    Args:
        limit: most tokens of a sequence; None: the model's context.
    """
    limit = limit or getattr(model.config.get_text_config(), "max_position_embeddings", None)
    size = model.get_input_embeddings().weight.shape[0]
    dropped = {}
    for row, name in zip(rows, names, strict=True):
        count = length(row)
        unknown = max(max(ids, default=0) for ids in row.values())
        if limit is not None and count > limit:
            dropped[name] = f"{count} tokens with the answer; the model reads {limit}"
        elif unknown >= size:
            dropped[name] = f"token {unknown} has no embedding in the model, which has {size}"
    return dropped


def parts(
    model: Any, rows: Sequence[TokenRow], tokens: int, columns: Sequence[str]
) -> Iterator[list[TokenRow]]:
    """The rows in their order, as many at a time as a forward pass may hold.

    Args:
        model: the transformers model that is run.
        tokens: most of one pass, padding counted.
        columns: the answers of a row, each of which is a sequence behind the prompt.
    """
    part: list[TokenRow] = []
    for row in rows:
        wanted = [*part, row]
        size = len(columns) * len(wanted) * max(map(length, wanted))
        answers = sum(len(one[name]) for one in wanted for name in columns)
        if part and (size > tokens or memory.kept_bytes(model, size, answers) > memory.KEPT):
            yield part
            part = [row]
        else:
            part = wanted
    if part:
        yield part


def length(row: TokenRow) -> int:
    """Tokens of the longest sequence of a row."""
    before = len(row.get("prompt_ids", ()))
    return max(len(ids) + before * (column != "prompt_ids" and before > 0) for column, ids in row.items())


def own_tokenizer(lm: HasWeights) -> Any:
    """A copy of the tokenizer with a pad token, which trainers demand; padding is masked, so any will do.

    But it is embedded, so that one beyond the vocabulary, as some models have it, will not.
    """
    tokenizer = copy.deepcopy(lm.tokenizer)
    size = lm.model.get_input_embeddings().weight.shape[0]
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id >= size:
        end = tokenizer.eos_token_id
        usable = end if end is not None and end < size else 0
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(usable)
    return tokenizer


def build(trainer: Callable[..., T], model: Any, lora: LoraBlock | None, **options: Any) -> T:
    """A trainer of class `trainer` that trains a new LoRA adapter on `model`, or without one all its weights.

    Raises:
        ModelError: the model has no such modules, or peft cannot adapt them.
    """
    config = lora and lora_targets.lora_config(model, lora)
    try:
        built = trainer(model=model, peft_config=config, **options)
    except ValueError as error:
        raise lora_targets.unsuitable(error) from None
    if four_bit.is_held(model):  # whose adapter TRL holds in bfloat16
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
    return built


def logits_at(
    model: Any, head: Any, tokens: torch.Tensor, mask: torch.Tensor, wanted: torch.Tensor
) -> torch.Tensor:
    """Logits (wanted positions, vocabulary); the vocabulary layer runs on these alone.

    Args:
        head: that layer; None: several devices and unusual models compute the others too.
        tokens, mask, wanted: (rows, longest), padded on the right.
    """
    given = {"input_ids": tokens, "attention_mask": mask, "use_cache": False}
    if head is None:
        return torch.as_tensor(model(**given).logits[wanted])
    hook = head.register_forward_pre_hook(lambda _, states: (states[0][wanted],))
    try:
        return torch.as_tensor(model(**given).logits)
    finally:
        hook.remove()


def arguments(
    setting: Setting, block: EpochsBlock, model: Any, rows: Sequence[TokenRow], sequences: int
) -> dict[str, Any]:
    """Arguments of transformers' Trainer that all phases share.

    Args:
        sequences: per row (2 for pairs).
    """
    device = model.device.type
    size = own_batch(block, processes.join(model.device).count)
    micro = micro_batch(size, sequences * max(map(length, rows)), setting.tokens)
    large = sum(p.numel() for p in model.parameters()) > LARGE
    return {
        "output_dir": tempfile.gettempdir(),  # demanded, and not written to: a kill leaves no folder there
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": size // micro,
        "num_train_epochs": block.passes(len(rows)),
        "learning_rate": setting.rate(block),
        "lr_scheduler_type": "cosine",
        "warmup_steps": block.warmup if block.warmup < 1 else 0.99,
        "weight_decay": 0.0,
        "seed": setting.seed,
        "data_seed": setting.seed,
        "use_cpu": device == "cpu",
        "bf16": loading.has_bfloat16(model.device),
        "gradient_checkpointing": large,  # the name that every transformers 5 knows
        "max_length": None,
        # the routers of experts are not trained; with it TRL would also leave the model in another mode
        "router_aux_loss_coef": 0.0,
        "remove_unused_columns": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": device == "cuda",
        "disable_tqdm": True,
        "report_to": [],
        "save_strategy": "no",
        "eval_strategy": "no",
        "logging_strategy": "steps",
        "logging_steps": max(1, steps_of(len(rows), block) // LOGGED),
        "logging_nan_inf_filter": False,
    }


def own_batch(block: EpochsBlock, count: int) -> int:
    """Rows of an optimizer step in each of `count` processes.

    Raises:
        ModelError: a batch cannot be shared out evenly.
    """
    if block.batch_size % count:
        raise ModelError(
            f"teach: batch_size = {block.batch_size} of phase {block.type} cannot be shared out evenly to "  # type: ignore[attr-defined]
            f"{count} processes",
            f"start a number of processes that divides it, or set batch_size to a multiple of {count}",
        )
    return block.batch_size // count


def micro_batch(size: int, longest: int, tokens: int) -> int:
    """Rows of a forward pass: the most that divide a batch of `size` and fit into `tokens`.

    Only divisors, because each forward pass of an optimizer step is of the same size: the batch is exact.
    """
    return max((n for n in range(1, size + 1) if size % n == 0 and n * longest <= tokens), default=1)


def steps_of(items: int, block: EpochsBlock) -> int:
    """Optimizer steps of a phase."""
    return math.ceil(math.ceil(items / block.batch_size) * block.passes(items))


def rate(at: int, total: int, highest: float, warmup: float) -> float:
    """The learning rate of update `at` of `total`: it rises to the highest, then falls as a cosine to 0.

    The first update has some already: its answers and judgements are paid for.
    """
    rising = math.ceil(warmup * total)
    if at < rising:
        return highest * (at + 1) / rising
    return highest * 0.5 * (1 + math.cos(math.pi * (at - rising) / max(1, total - rising)))


class Watch(TrainerCallback):  # type: ignore[misc]
    """Reports every step, keeps the curve, and stops a training whose loss becomes NaN or inf."""

    def __init__(self, setting: Setting, advance: Callable[[int], None]) -> None:
        self._setting = setting
        self._advance = advance
        self.steps: list[TrainingStep] = []
        self.failure: str | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._advance(1)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
        if "loss" not in logs:  # the summary at the end
            return
        numbers = {name: float(value) for name, value in logs.items() if _is_number(value)}
        loss = numbers.pop("loss", math.nan)
        self.steps.append(
            TrainingStep(
                arm=self._setting.arm,
                phase=self._setting.phase,
                step=state.global_step,
                loss=loss,
                metrics={name: value for name, value in numbers.items() if math.isfinite(value)},
            )
        )
        if not math.isfinite(loss) and self.failure is None:
            self.failure = f"{self._setting.phase}: the loss became {loss} at step {state.global_step}"
            control.should_training_stop = True


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def run(trainer: Any, setting: Setting, block: EpochsBlock, report: Reporter, items: int) -> Trained:
    """Trains to the end, or to the first loss that is NaN or inf.

    Args:
        items: examples or pairs of an epoch.
    """
    trainer.remove_callback(PrinterCallback)
    total = steps_of(items, block)
    count = trainer.args.world_size
    report.note(
        f"{setting.phase}: {block.passes(items):g} epochs of {items}, {block.batch_size} a step: "
        f"{total} steps, learning rate {setting.rate(block):g}"
        + (f"; {count} processes" if count > 1 else "")
        + (f", which divide the weights ({trainer.divides})" if trainer.divides else "")
    )
    with report.task(f"teach: {setting.phase} ({setting.arm})", total) as advance:
        watch = Watch(setting, advance)
        trainer.add_callback(watch)
        with trainer.dividing():
            trainer.train()
    model = trainer.model
    broken = [name for name, p in model.named_parameters() if p.requires_grad and not p.isfinite().all()]
    failure = watch.failure or (f"{setting.phase}: weights are NaN or inf" if broken else None)
    return Trained(model, watch.steps, failure)
