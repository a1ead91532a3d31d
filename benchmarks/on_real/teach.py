"""Which way of teaching serves a real model?  One lesson, every arm with the same number of optimizer steps.

An arm is an adapter trained on gaps of the model (on_real/lesson.py): what it learned, in wordings that it
was trained on, held-out and novel ones, and what it forgot: known questions that were never replayed, reading
from pages with another answer, natural text.  Seconds are those of all cores, by the process's own clock.
`benchmarks/teach.py --real` is the same with choices.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from on_real import lesson
from on_real.drift import Drift
from on_real.model import in_float32
from selfstudy.models import load_lm
from selfstudy.models.local.lm import LocalLM
from selfstudy.progress import Silent
from selfstudy.recipe import DistillBlock, ExamplesBlock, LoraBlock, Recipe, SFTBlock
from selfstudy.teach.phases import PHASES, Student
from selfstudy.teach.trainers import shared

GAPS, REPLAYED, KNOWN = 40, 40, 160
STEPS, BATCH, RATE = 110, 16, 3e-4
"""`learn` takes about 1.1 steps of BATCH a gap; 55 steps are as many here, 110 are what most tables show."""
NONE: dict[str, Any] = {"replay": 0, "reading": 0}
REPLAY: dict[str, Any] = {"replay": 1, "reading": 0}
ALL: dict[str, Any] = {"replay": 1, "reading": 0, "swapped": 0.15, "neutral": 0.3}
SFT: dict[str, Any] = {"type": "sft"}
SHOWN: dict[str, Any] = {"type": "distill", "targets": "reference", "keep": 1}
KEPT: dict[str, Any] = {"type": "distill", "targets": "text", **ALL, "keep": 8}
MLP = ("gate_proj", "up_proj", "down_proj")
ARMS: dict[str, dict[str, Any]] = {
    "default": KEPT,
    "default, keep 4": {**KEPT, "keep": 4},
    "default, keep 1": {**KEPT, "keep": 1},
    "default, twice the steps": {**KEPT, "more": 2},
    "default, no replay": {**KEPT, "replay": 0},
    "default, r 8": {**KEPT, "r": 8},
    "default, r 64": {**KEPT, "r": 64},
    "default, MLP alone": {**KEPT, "target_modules": MLP},
    "default, all weights": {**KEPT, "r": 0, "learning_rate": 2e-5},
    "sft": {**SFT, **NONE},
    "sft + replay": {**SFT, **REPLAY},
    "sft + reading": {**SFT, **REPLAY, "swapped": 0.5},
    "sft + all": {**SFT, **ALL},
    "sft, all weights": {**SFT, **NONE, "r": 0, "learning_rate": 2e-5},
    "MixSD + all": {**SHOWN, **ALL, "targets": "mixed"},
    "distributions": {**SHOWN, **NONE},
    "distributions + all": {**SHOWN, **ALL},
    "distributions + all, keep 4": {**SHOWN, **ALL, "keep": 4},
}
"""By name.  The default is `distill` as recipes have it: references as texts, and the rest by the frozen
model's distributions, with the weight `keep`.  "distributions": so is what it says with the page in view.
"all": replay, reading of pages with another answer, neutral text.  `r` is the adapter's rank (16), 0 for
none: all weights are trained."""
COLUMNS = ("gaps", "held-out", "novel", "known", "reading", "perplexity", "kl", "seconds", "steps")


def run(seeds: Sequence[int]) -> dict[str, Any]:
    """Every arm on every seed; prints the table."""
    return compare(list(ARMS), seeds)


def compare(
    names: Sequence[str], seeds: Sequence[int], out: Path | None = None, steps: int = STEPS
) -> dict[str, Any]:
    """The figures of some arms; written to `out` as they come, and those that stand there are kept."""
    found: dict[str, Any] = json.loads(out.read_text()) if out and out.exists() else {}
    lm: Any = load_lm(in_float32())
    asked = lesson.asked(lm)
    drift = Drift(lm)
    print(f"{'':30}" + "".join(f"{name:>11}" for name in COLUMNS), flush=True)
    for seed in seeds:
        material = lesson.material(asked, Recipe(seed=seed), gaps=GAPS, replayed=REPLAYED, known=KNOWN)
        for name in ("before", *names):
            key = f"{name} | {seed}" + (f", {steps} steps" if steps != STEPS else "")
            if key not in found:
                found[key] = (
                    measured(lm, material, drift)
                    if name == "before"
                    else arm(lm, material, drift, dict(ARMS[name]), seed, steps)
                )
                if out:
                    out.write_text(json.dumps(found, indent=1))
            _print(key, found[key])
    return found


def arm(
    lm: Any, material: lesson.Material, drift: Drift, options: dict[str, Any], seed: int, steps: int
) -> dict[str, Any]:
    """Trains one arm for so many steps and measures it."""
    kind, rank = options.pop("type"), options.pop("r", 16)
    modules, steps = options.pop("target_modules", "all-linear"), steps * options.pop("more", 1)
    settings = {"learning_rate": RATE, "batch_size": BATCH, **options}
    block_type = {"sft": SFTBlock, "distill": DistillBlock}[kind]
    block: ExamplesBlock = block_type(**settings)
    started = time.process_time()
    dropped: dict[str, str] = {}
    student = Student(False, lambda: lm, None, Silent(), dropped.__setitem__)  # type: ignore[arg-type]
    items = PHASES[kind].data(material.lesson, block, student)
    block = block.model_copy(update={"epochs": steps / math.ceil(len(items) / BATCH)})
    setting = shared.Setting(
        arm="taught",
        phase=kind,
        lora=LoraBlock(r=rank, alpha=2 * rank, target_modules=modules) if rank else None,
        seed=seed,
    )
    copy = shared.training_copy(lm, whole=not rank)
    trained = PHASES[kind].load().train(copy, lm, items, block, setting, Silent())
    seconds = time.process_time() - started
    model = shared.merged(trained.model)
    taught = LocalLM.around(model, lm.tokenizer, style=lm.style)
    return {
        **measured(taught, material, drift),
        "seconds": seconds,
        "steps": trained.steps[-1].step,
        "examples": len(items),
        "dropped": len(dropped) + len(trained.dropped),
        "losses": [round(step.loss, 4) for step in trained.steps[:: max(1, len(trained.steps) // 10)]],
    }


def measured(lm: Any, material: lesson.Material, drift: Drift) -> dict[str, Any]:
    """Shares of right answers by kind of question, and how far the model moved elsewhere."""
    said = lesson.answers(lm, [test.chat for test in material.tests])
    right: dict[str, list[bool]] = {}
    for test, answer in zip(material.tests, said, strict=True):
        right.setdefault(test.kind, []).append(lesson.states(answer, [test.value], test.asked))
    if folder := os.environ.get("SELFSTUDY_BENCHMARK_ANSWERS"):
        lines = [json.dumps([t.kind, t.asked, t.value, a]) for t, a in zip(material.tests, said, strict=True)]
        Path(folder, f"answers-{time.time_ns()}.jsonl").write_text("\n".join(lines))
    return {
        **{kind: sum(some) / len(some) for kind, some in right.items()},
        "counts": {kind: len(some) for kind, some in right.items()},
        **drift.of(lm.model),
    }


def _print(name: str, figures: dict[str, Any]) -> None:
    cells = [figures.get(column) for column in COLUMNS]
    shown = [
        "-" if cell is None else f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells
    ]
    print(f"{name:30}" + "".join(f"{cell:>11}" for cell in shown), flush=True)
