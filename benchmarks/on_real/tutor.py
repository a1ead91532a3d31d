"""A tutor taught by DPO on published dialogues: does the real model learn to ask, and at what price?

    python benchmarks/tutor.py DIALOGUES.csv [--rejected telling own] [--rows 200] [--held-out 100]

Rows are split by dialogue (`teach.socratic.same_dialogue`), so that no held-out row begins as a trained one.
Measured before and after, by rule and by likelihood:

    accuracy   share of held-out pairs whose implicit reward is higher for the tutor's own turn (Rafailov et
               al. 2023, arXiv 2305.18290, section 4), and its mean margin; untaught it is no number, for all
               rewards are 0
    prefers    share of held-out pairs of which the model finds the tutor's own turn likelier per token
    asking     share of the turns that the model says itself, on held-out rows, that ask (judging/tutoring)
    known      share of everyday questions still answered rightly, of those that the untaught model knows

The worse turns of held-out rows come from the same source as those of trained ones.
"""

from __future__ import annotations

import csv
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from on_real import lesson
from on_real.model import GENERAL, in_float32
from selfstudy.files.rows import MalformedError
from selfstudy.judging.correctness import states
from selfstudy.judging.tutoring import asks
from selfstudy.models import load_lm, transcripts
from selfstudy.models.base import Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.progress import Terminal
from selfstudy.prompts import Prompts
from selfstudy.recipe import LoraBlock, SocraticBlock
from selfstudy.records import Example, Pair
from selfstudy.stats import wilson
from selfstudy.teach import rejected_turns
from selfstudy.teach.socratic import same_dialogue
from selfstudy.teach.trainers import dpo, shared
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing.dialogues import dialogue_records

SHOWN = 6
"""Held-out rows whose turns are printed side by side."""
LORA = LoraBlock(r=8, alpha=16)
"""As published (methods 3): beta 0.1, r 8, rate 2e-4, which is the block's."""


def compare(
    path: Path, sources: Sequence[str], *, rows: int, held_out: int, seed: int, epochs: float
) -> dict[str, Any]:
    """Trains and measures an arm for each source of worse turns."""
    taught, kept = split(read(path), rows, held_out, seed)
    print(f"{len(taught)} rows to train on, {len(kept)} held out", flush=True)
    lm: Any = load_lm(in_float32())
    known = [row for row in everyday() if right(lm, [row])[0]]
    before = {"asking": asking(lm, kept), "known": [len(known), len(known)]}
    print(f"untaught: {before}", flush=True)
    found: dict[str, Any] = {"untaught": before}
    for source in sources:
        block = SocraticBlock.model_validate({"rejected": source, "epochs": epochs, "batch_size": 16})
        found[source] = arm(lm, taught, kept, known, block, seed)
        shown = {name: value for name, value in found[source].items() if name not in ("turns", "losses")}
        print(f"{source}: {shown}", flush=True)
        for turn in found[source]["turns"]:
            print(json.dumps(turn, ensure_ascii=False, indent=1), flush=True)
    return found


def arm(
    lm: Any,
    taught: Sequence[Example],
    kept: Sequence[Example],
    known: Sequence[dict[str, Any]],
    block: SocraticBlock,
    seed: int,
) -> dict[str, Any]:
    """The figures of one arm, and its turns beside the untaught model's."""
    started = time.perf_counter()
    prompts = Prompts()
    trained, tested = (
        rejected_turns.pairs(some, lm, block, prompts, seed, lambda _: None) for some in (taught, kept)
    )
    setting = shared.Setting(arm="taught", phase="socratic", lora=LORA, seed=seed)
    result = dpo.train(shared.training_copy(lm), lm, trained, block, setting, Terminal())
    minutes = (time.perf_counter() - started) / 60
    after = LocalLM.around(shared.merged(result.model), lm.tokenizer, style=lm.style)
    rewards = margins(after, lm, tested)
    own, other = (turns(one, kept[:SHOWN]) for one in (lm, after))
    return {
        "pairs": [len(trained), len(tested)],
        "minutes": minutes,
        "steps": result.steps[-1].step,
        "losses": [round(step.loss, 4) for step in result.steps[:: max(1, len(result.steps) // 10)]],
        "accuracy": share([value > 0 for value in rewards]),
        "margin": float(np.mean(rewards)),
        "prefers": [share(likelier(one, tested)) for one in (lm, after)],
        "asking": asking(after, kept),
        "known": [sum(right(after, known)), len(known)],
        "turns": [
            {
                "student": row.prompt[-1].content,
                "tutor": row.completion,
                "worse": pair_of(tested, row),
                "untaught": before,
                "taught": now,
            }
            for row, before, now in zip(kept, own, other, strict=False)
        ],
    }


def read(path: Path) -> list[Example]:
    """The rows that can be used, as examples."""
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                _, example = dialogue_records(columns.recognised(row))
            except MalformedError:
                continue
            if isinstance(example, Example):
                found.append(example)
    return found


def split(
    rows: Sequence[Example], wanted: int, held_out: int, seed: int
) -> tuple[list[Example], list[Example]]:
    """Rows to train on and rows that are held out, whole dialogues of each, about as many as wanted."""
    groups: dict[int, list[Example]] = {}
    for row, number in zip(rows, same_dialogue([(r.prompt, r.completion) for r in rows]), strict=True):
        groups.setdefault(number, []).append(row)
    order = list(groups.values())
    random.Random(f"tutor:{seed}").shuffle(order)
    kept: list[Example] = []
    taught: list[Example] = []
    for some in order:
        if len(kept) < held_out:
            kept += some
        elif len(taught) < wanted:
            taught += some
    return taught[:wanted], kept[:held_out]


def margins(after: LocalLM, before: Any, pairs: Sequence[Pair]) -> list[float]:
    """How much more the training raised the tutor's own turn than the worse one, in nats."""
    chats = [pair.prompt for pair in pairs]

    def raised(texts: list[str]) -> list[float]:
        now, then = after.logprobs(chats, texts), before.logprobs(chats, texts)
        return [sum(a) - sum(b) for a, b in zip(now, then, strict=True)]

    good, bad = raised([pair.chosen for pair in pairs]), raised([pair.rejected for pair in pairs])
    return [a - b for a, b in zip(good, bad, strict=True)]


def likelier(lm: Any, pairs: Sequence[Pair]) -> list[bool]:
    """Whether the tutor's own turn is likelier, by token, than the worse one."""
    chats = [pair.prompt for pair in pairs]
    good = lm.logprobs(chats, [pair.chosen for pair in pairs])
    bad = lm.logprobs(chats, [pair.rejected for pair in pairs])
    return [sum(a) / len(a) > sum(b) / len(b) for a, b in zip(good, bad, strict=True)]


def turns(lm: Any, rows: Sequence[Example]) -> list[str]:
    """What a model says next, greedily."""
    said = lm.generate([row.prompt for row in rows], Sampling(temperature=0.0, max_new_tokens=96))
    return [transcripts.spoken(one.text) for (one,) in said]


def asking(lm: Any, rows: Sequence[Example]) -> list[float]:
    return share([asks(turn) for turn in turns(lm, rows)])


def everyday() -> list[dict[str, Any]]:
    return [json.loads(line) for line in GENERAL.open(encoding="utf-8")][::3]


def right(lm: Any, rows: Sequence[dict[str, Any]]) -> list[bool]:
    said = lesson.answers(lm, [Prompts().chat("answer", question=row["question"]) for row in rows])
    return [states(a, row["answer"], row["question"]) for a, row in zip(said, rows, strict=True)]


def share(values: Sequence[bool]) -> list[float]:
    """A share with its 95% interval (Wilson)."""
    found = wilson(sum(values), len(values))
    return [round(found.value, 3), round(found.low, 3), round(found.high, 3)]


def pair_of(pairs: Sequence[Pair], row: Example) -> str | None:
    """The worse turn of a row, if there is one."""
    return next((p.rejected for p in pairs if (p.prompt, p.chosen) == (row.prompt, row.completion)), None)
