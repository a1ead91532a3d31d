"""A tutor taught by DPO on published dialogues: does the real model learn to ask, and at what price?

    python benchmarks/tutor.py DIALOGUES.csv [--rejected telling own] [--epochs 1] [--likelihood 1]
    python benchmarks/tutor.py DIALOGUES.csv --weights full
    python benchmarks/tutor.py DIALOGUES.csv --speed --rows 16

Rows are split by dialogue (`teach.socratic.same_dialogue`), and intervals resample dialogues.  Measured by
likelihood and by rule:

    accuracy    share of held-out pairs whose implicit reward is higher for the tutor's own turn: beta times
                what the training added to its log-probability (Rafailov et al. 2023, arXiv 2305.18290,
                section 4), here without the token that ends the turn
    log-ratio   mean of the differences, in nats, without beta; both are 0 before the training
    asking      share of the turns that the model says itself, on held-out rows, that ask (judging/tutoring)
    known       everyday questions still answered rightly, of those that the untaught model knows

The worse turns of held-out rows come from the same source as those of trained ones, so accuracy tells whether
the difference was learned, not whether the tutor is a good one.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from on_real import lesson
from on_real.model import GENERAL, in_float32
from selfstudy.files.rows import MalformedError, read_rows
from selfstudy.judging.correctness import states
from selfstudy.judging.tutoring import asks
from selfstudy.models import load_lm, transcripts
from selfstudy.models.base import Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.progress import Terminal
from selfstudy.prompts import Prompts
from selfstudy.recipe import LoraBlock, SocraticBlock
from selfstudy.records import Example, Pair
from selfstudy.stats import bootstrap_ratio
from selfstudy.teach import rejected_turns
from selfstudy.teach.socratic import same_dialogue
from selfstudy.teach.trainers import dpo, shared
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing.dialogues import read_dialogue
from trained_weights import dpo_trained, loaded

SHOWN = 6
"""Held-out rows whose turns are printed side by side."""
LORA = LoraBlock(r=8, alpha=16)
"""As published (methods 3): beta 0.1, r 8, rate 2e-4, which is the block's."""


@dataclass(frozen=True)
class Row:
    """A next turn, and the number of its dialogue."""

    example: Example
    dialogue: int


def compare(
    path: Path,
    sources: Sequence[str],
    *,
    rows: int,
    held_out: int,
    seed: int,
    epochs: float,
    likelihood: float,
    way: str = "lora",
) -> dict[str, Any]:
    """Trains and measures an arm for each source of worse turns."""
    taught, kept = split(read(path), rows, held_out, seed)
    lm = loaded(in_float32(), way)
    known = [row for row, fits in zip(everyday(), right(lm, everyday()), strict=True) if fits]
    before = {"asking": asking(lm, kept), "known": [len(known), len(known)]}
    print(f"{len(taught)} rows to train on, {len(kept)} held out; untaught: {before}", flush=True)
    found: dict[str, Any] = {"untaught": before}
    for source in sources:
        block = SocraticBlock.model_validate(
            {"rejected": source, "epochs": epochs, "batch_size": 16, "likelihood": likelihood}
        )
        found[source] = arm(lm, taught, kept, known, block, seed, way)
        shown = {name: value for name, value in found[source].items() if name != "turns"}
        print(f"{source}: {shown}", flush=True)
        for turn in found[source]["turns"]:
            print(json.dumps(turn, ensure_ascii=False, indent=1), flush=True)
    return found


def arm(
    lm: Any,
    taught: Sequence[Row],
    kept: Sequence[Row],
    known: Sequence[dict[str, Any]],
    block: SocraticBlock,
    seed: int,
    way: str,
) -> dict[str, Any]:
    """The figures of one arm, and its turns beside the untaught model's."""
    started = time.perf_counter()
    lost: list[str] = []
    trained, tested = (
        rejected_turns.pairs(
            [row.example for row in rows], lm, block, Prompts(), seed, fail=lambda _, why: lost.append(why)
        )
        for rows in (taught, kept)
    )
    result = dpo_trained(lm, trained, block, LORA, way, seed)
    minutes = (time.perf_counter() - started) / 60
    after = LocalLM.around(shared.merged(result.model), lm.tokenizer, style=lm.style)
    groups = {(row.example.prompt, row.example.completion): row.dialogue for row in kept}
    ratios = log_ratios(after, lm, tested)
    scored = [
        (groups[pair.prompt, pair.chosen], ratio)
        for pair, ratio in zip(tested, ratios, strict=True)
        if ratio is not None
    ]
    shown = [row.example for row in kept[:SHOWN]]
    worse = {(pair.prompt, pair.chosen): pair.rejected for pair in tested}
    return {
        "pairs": [len(trained), len(tested)],
        "no pair": dict(Counter(lost)),
        "not scored": len(ratios) - len(scored),
        "minutes": round(minutes, 1),
        "steps": result.steps[-1].step,
        "losses": [round(step.loss, 4) for step in result.steps[:: max(1, len(result.steps) // 10)]],
        "accuracy": share([d for d, _ in scored], [r > 0 for _, r in scored]),
        "log-ratio": round(float(np.mean([r for _, r in scored])), 2),
        "asking": asking(after, kept),
        "known": [sum(right(after, known)), len(known)],
        "turns": [
            {
                "student": example.prompt[-1].content,
                "tutor": example.completion,
                "worse": worse.get((example.prompt, example.completion)),
                "untaught": then,
                "taught": now,
            }
            for example, then, now in zip(shown, turns(lm, shown), turns(after, shown), strict=True)
        ],
    }


def speed(path: Path, *, rows: int, seed: int) -> dict[str, float]:
    """Seconds of one epoch over the same pairs: TRL's trainer as it comes, and ours; and their ratio.

    A pair's worse turn is the next row's turn; each way warms up on two pairs, untimed.
    """
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    some = [row.example for row in split(read(path), rows, 0, seed)[0]]
    pairs = [
        Pair(prompt=one.prompt, chosen=one.completion, rejected=other.completion, question_id=one.question_id)
        for one, other in zip(some, [*some[1:], some[0]], strict=True)
        if one.completion != other.completion
    ]
    lm: Any = load_lm(in_float32())
    block = SocraticBlock(epochs=1, batch_size=4)
    setting = shared.Setting(arm="taught", phase="socratic", lora=LORA, seed=seed)

    class Theirs(DPOTrainer):  # type: ignore[misc]
        def _send_telemetry(self) -> None:
            """Nothing leaves this machine."""

        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset  # is tokenised already

    def theirs(given: Sequence[Pair]) -> None:
        data = dpo.tokenised(lm, given)
        model = shared.training_copy(lm)
        arguments = shared.arguments(setting, block, model, data, 2) | {"per_device_train_batch_size": 1}
        trainer = shared.build(
            Theirs,
            model,
            LORA,
            args=DPOConfig(**arguments | {"gradient_accumulation_steps": block.batch_size}),
            train_dataset=Dataset.from_list(data),
            processing_class=shared.own_tokenizer(lm),
        )
        trainer.train()

    def ours(given: Sequence[Pair]) -> None:
        dpo.train(shared.training_copy(lm), lm, given, block, setting, Terminal())

    found: dict[str, float] = {}
    for name, train in (("trl", theirs), ("ours", ours)):
        train(pairs[:2])
        started = time.perf_counter()
        train(pairs)
        found[name] = round(time.perf_counter() - started, 1)
    found["ratio"] = round(found["trl"] / found["ours"], 2)
    print(f"{len(pairs)} pairs, one epoch, seconds: {found}", flush=True)
    return found


def read(path: Path) -> list[Row]:
    """The rows that can be used, each once; says how many cannot."""
    found: dict[str, Example] = {}
    refused: Counter[str] = Counter()
    for row in read_rows(path):
        try:
            if row.value is None:
                raise MalformedError(row.problem)
            example = read_dialogue(columns.recognised(row.value)).taught
            if isinstance(example, Example):
                found.setdefault(example.id, example)
        except MalformedError as error:
            refused[str(error)] += 1
    print(f"{path.name}: {len(found)} rows; not used: {dict(refused)}", flush=True)
    numbers = same_dialogue([(e.prompt, e.completion) for e in found.values()])
    return [Row(example, number) for example, number in zip(found.values(), numbers, strict=True)]


def split(rows: Sequence[Row], wanted: int, held_out: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Rows to train on and rows that are held out, no dialogue in both."""
    order = sorted({row.dialogue for row in rows})
    random.Random(f"tutor:{seed}").shuffle(order)
    kept: list[Row] = []
    taught: list[Row] = []
    for number in order:
        part = kept if len(kept) < held_out else taught
        part += [row for row in rows if row.dialogue == number]
    return taught[:wanted], kept[:held_out]


def log_ratios(after: LocalLM, before: Any, pairs: Sequence[Pair]) -> list[float | None]:
    """How much more the training raised the tutor's own turn than the worse one; None if one is unscored."""
    chats = [pair.prompt for pair in pairs]
    scores = [
        lm.logprobs(chats, texts)
        for texts in ([pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
        for lm in (after, before)
    ]
    return [
        (sum(good) - sum(then)) - (sum(bad) - sum(was)) if good and then and bad and was else None
        for good, then, bad, was in zip(*scores, strict=True)
    ]


def turns(lm: Any, examples: Sequence[Example]) -> list[str | None]:
    """What a model says next, greedily; None where that failed."""
    said = lm.generate([one.prompt for one in examples], Sampling(temperature=0.0, max_new_tokens=96))
    return [None if one.finish == "error" else transcripts.spoken(one.text) for (one,) in said]


def asking(lm: Any, rows: Sequence[Row]) -> list[float]:
    """The share of turns that ask, of those that there are."""
    said = zip(rows, turns(lm, [row.example for row in rows]), strict=True)
    found = [(row.dialogue, asks(turn)) for row, turn in said if turn is not None]
    return share([number for number, _ in found], [asked for _, asked in found])


def everyday() -> list[dict[str, Any]]:
    """A third of the general questions."""
    return [json.loads(line) for line in GENERAL.open(encoding="utf-8")][::3]


def right(lm: Any, rows: Sequence[dict[str, Any]]) -> list[bool]:
    """Which questions a model answers rightly."""
    said = lesson.answers(lm, [Prompts().chat("answer", question=row["question"]) for row in rows])
    return [states(a, row["answer"], row["question"]) for a, row in zip(said, rows, strict=True)]


def share(dialogues: Sequence[int], values: Sequence[bool]) -> list[float]:
    """A share with its 95% interval; dialogues are resampled whole."""
    numbers = sorted(set(dialogues))
    hits = [sum(v for d, v in zip(dialogues, values, strict=True) if d == n) for n in numbers]
    found = bootstrap_ratio(hits, [dialogues.count(n) for n in numbers], seed=0)
    return [round(found.value, 3), round(found.low, 3), round(found.high, 3)]
