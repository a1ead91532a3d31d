"""What the trainers share: tokens, batches in order of length, settings, progress, a copy of the model.

Decides nothing about what is learned.  Nothing is written but the adapter: no checkpoints, no pickles.
"""

from __future__ import annotations

import copy
import itertools
import math
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback

from selfstudy.errors import ModelError
from selfstudy.models.base import LanguageModel
from selfstudy.models.local.chat_format import ChatFormat
from selfstudy.progress import Reporter
from selfstudy.recipe import LoraBlock
from selfstudy.records import Chat, TrainingStep

T = TypeVar("T")

LOGGED = 50
"""Points of a training curve."""
LARGE = 500_000_000
"""Parameters from which activations are computed twice instead of kept."""
POOL = 16
"""Batches that are sorted by length together: enough to save padding, few enough to mix topics."""


@dataclass(frozen=True)
class Setting:
    """How a phase is trained.

    Attributes:
        phase: "sft" or "dpo".
        tokens: most tokens of one forward pass; a larger batch is cut and its gradients are summed.
    """

    arm: Literal["taught", "control"]
    phase: str
    epochs: float
    learning_rate: float
    batch_size: int
    warmup: float
    lora: LoraBlock
    seed: int
    tokens: int = 16_384


@dataclass
class Trained:
    """A model with its new, unmerged adapter; `failure` says why the adapter is of no use, if so."""

    model: Any
    steps: list[TrainingStep]
    failure: str | None = None


class Tokens:
    """Token ids exactly as generation sees them: the rendered prompt, the answer, what ends the turn.

    Prompt and answer are tokenised apart, as `LocalLM.logprobs` does, because generation also starts from the
    tokens of the prompt alone.  Thinking that the template opens is closed before the answer.
    """

    def __init__(self, lm: Any) -> None:
        self._format = ChatFormat(lm.tokenizer, lm.model)

    def prompts(self, chats: Sequence[Chat]) -> list[list[int]]:
        return self._format.encode([self._format.render_closed(chat) for chat in chats])

    def answers(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text as the answer to its chat, the end of the turn last."""
        return self._format.encode_turns(
            [self._format.answer(chat, text) for chat, text in zip(chats, texts, strict=True)]
        )


def training_copy(lm: LanguageModel) -> Any:
    """A copy of the model to train on, so that the one that answers stays untouched; float32 on the CPU."""
    model = copy.deepcopy(lm.model)  # type: ignore[attr-defined]
    if model.device.type == "cpu":
        model = model.float()
    model.requires_grad_(True)
    return model


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
    """The plain model with its adapter merged in, for a next phase."""
    plain = model.merge_and_unload()
    vars(plain).pop("forward", None)  # the trainer had put its own in place
    return plain


def own_tokenizer(lm: Any) -> Any:
    """A copy of the tokenizer with a pad token, which trainers demand; padding is masked, so any will do."""
    tokenizer = copy.deepcopy(lm.tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def build(trainer: Callable[..., T], model: Any, lora: LoraBlock, **options: Any) -> T:
    """A trainer of class `trainer` that trains a new LoRA adapter on `model`.

    Raises:
        ModelError: the model has no such modules, or peft cannot adapt them.
    """
    from peft import LoraConfig

    modules = lora.target_modules
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=modules if isinstance(modules, str) else list(modules),
        task_type="CAUSAL_LM",
    )
    try:
        return trainer(model=model, peft_config=config, **options)
    except ValueError as error:
        raise ModelError(
            f"this model cannot be trained: {str(error)[:300]}",
            "set teach.lora.target_modules to the names of linear layers of this model",
        ) from None


def arguments(setting: Setting, model: Any, longest: int, rows: int, folder: str) -> dict[str, Any]:
    """Arguments of transformers' Trainer that all phases share.

    Args:
        longest: tokens of the longest sequence.
        rows: sequences per item of a batch (2 for pairs).
        folder: a place that the Trainer demands and does not write to.
    """
    device = model.device.type
    micro = setting.batch_size
    while micro > 1 and micro * rows * longest > setting.tokens:
        micro //= 2
    large = sum(p.numel() for p in model.parameters()) > LARGE
    return {
        "output_dir": folder,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": math.ceil(setting.batch_size / micro),
        "num_train_epochs": setting.epochs,
        "learning_rate": setting.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": setting.warmup if setting.warmup < 1 else 0.99,
        "weight_decay": 0.0,
        "seed": setting.seed,
        "data_seed": setting.seed,
        "use_cpu": device == "cpu",
        "bf16": device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False),
        "activation_checkpointing": large,
        "max_length": None,
        "remove_unused_columns": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": device == "cuda",
        "disable_tqdm": True,
        "report_to": [],
        "save_strategy": "no",
        "eval_strategy": "no",
        "logging_strategy": "steps",
        "logging_nan_inf_filter": False,
    }


def log_interval(items: int, setting: Setting) -> int:
    """Steps between two points of the curve."""
    total = math.ceil(math.ceil(items / setting.batch_size) * setting.epochs)
    return max(1, total // LOGGED)


class ByLength(torch.utils.data.Sampler[int]):
    """Indices in random order, but so that a batch holds sequences of one kind and about one length.

    Shuffled; then pools of `POOL` batches are sorted by how the sequences begin and how long they are; then
    the batches are shuffled.  Sequences that begin alike share that part of the computation (see `sft`).
    Every epoch has an order of its own that depends on the seed alone.
    """

    def __init__(self, sequences: Sequence[Sequence[int]], batch_size: int, seed: int) -> None:
        self._keys = [(tuple(ids[:8]), len(ids)) for ids in sequences]
        self._size = batch_size
        self._seed = seed
        self._epoch = itertools.count()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(f"{self._seed}:batches:{next(self._epoch)}")
        order = rng.sample(range(len(self._keys)), len(self._keys))
        pools = [order[i : i + POOL * self._size] for i in range(0, len(order), POOL * self._size)]
        indices = [i for pool in pools for i in sorted(pool, key=lambda k: self._keys[k])]
        batches = [indices[i : i + self._size] for i in range(0, len(indices), self._size)]
        rest = [batches.pop()] if len(indices) % self._size else []  # a short batch must come last
        rng.shuffle(batches)
        return itertools.chain.from_iterable([*batches, *rest])


class Watch(TrainerCallback):  # type: ignore[misc]
    """Reports every step, keeps the curve, and stops a training whose loss is no number any more."""

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


def run(trainer: Any, setting: Setting, report: Reporter) -> Trained:
    """Trains to the end, or to the first loss that is no number."""
    trainer.remove_callback(PrinterCallback)
    total = math.ceil(math.ceil(len(trainer.train_dataset) / setting.batch_size) * setting.epochs)
    with report.task(f"teach: {setting.phase} ({setting.arm})", total) as advance:
        watch = Watch(setting, advance)
        trainer.add_callback(watch)
        trainer.train()
    model = trainer.accelerator.unwrap_model(trainer.model)
    broken = [name for name, p in model.named_parameters() if p.requires_grad and not p.isfinite().all()]
    failure = watch.failure or (f"{setting.phase}: weights are no numbers" if broken else None)
    return Trained(model, watch.steps, failure)
