"""Is a batch of chats with several adapters faster than one chat at a time?

    python benchmarks/routed.py [--chats 60] [--adapters 5] [--rank 16] [--model atlas] [--device cpu]
                                [--dtype auto] [--tokens 24] [--repeats 3]

Random adapters (with a seed; what they say does not matter) on the attention of a model, and as many chats
for each as for the base model.  Answers them greedily in four ways, one after the other, `repeats` times, so
that other work on the machine falls on all of them: one request at a time, one batch for each adapter, one
mixed batch, and all by the base model in one batch.  Prints the best seconds of each, what the mixed batch
is worth, and whether all say the same.  Accepted: 3 times one at a time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from selfstudy.models import lora, lora_targets
from selfstudy.models.base import Sampling, chat
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.local.mixed import MixedLM
from selfstudy.recipe import LocalModel, LoraBlock
from selfstudy.records import Chat, Completion

COUNTRIES = [
    *("France", "Peru", "Japan", "Kenya", "Norway", "Chile", "Ghana", "Nepal", "Spain", "Cuba"),
    *("Egypt", "Laos", "Malta", "Oman", "Qatar", "Samoa", "Togo", "Yemen", "Brazil", "Canada"),
]
ASKED = (
    "What is the capital of {x}?",
    "What is the currency of {x}?",
    "On which continent is {x}?",
    "Which language is spoken in {x}?",
)
Rows = list[list[Completion]]


def make_adapter(block: LocalModel, folder: Path, rank: int, seed: int) -> Path:
    """A random change of all attention layers."""
    from peft import get_peft_model

    model = LocalLM(block).model
    torch.manual_seed(seed)
    modules = ("q_proj", "k_proj", "v_proj", "o_proj")
    config = lora_targets.lora_config(
        model, LoraBlock(r=rank, alpha=rank, dropout=0.0, target_modules=modules)
    )
    wrapped = get_peft_model(model, config)
    with torch.no_grad():
        for name, matrix in wrapped.named_parameters():
            if ".lora_B." in name:
                matrix.normal_(0, 0.02)
    lora.save(wrapped, folder)
    return folder


def chats(count: int) -> list[Chat]:
    """Different questions."""
    every = [form.format(x=country) for country in COUNTRIES for form in ASKED]
    return [chat(every[at % len(every)]) for at in range(count)]


def ways(
    lm: MixedLM, asked: list[Chat], who: list[str | None], sampling: Sampling
) -> dict[str, Callable[[], Rows]]:
    def alone() -> Rows:
        return [lm.generate_as([one], [name], sampling)[0] for one, name in zip(asked, who, strict=True)]

    def by_adapter() -> Rows:
        found: dict[int, list[Completion]] = {}
        for name in dict.fromkeys(who):
            own = [at for at, other in enumerate(who) if other == name]
            rows = lm.generate_as([asked[at] for at in own], [name] * len(own), sampling)
            found |= dict(zip(own, rows, strict=True))
        return [found[at] for at in range(len(asked))]

    return {
        "one_at_a_time": alone,
        "batch_per_adapter": by_adapter,
        "mixed": lambda: lm.generate_as(asked, who, sampling),
        "base_alone": lambda: lm.generate(asked, sampling),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=60)
    parser.add_argument("--adapters", type=int, default=5)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--model", default="atlas")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    block = LocalModel(path=options.model, device=options.device, dtype=options.dtype)
    with tempfile.TemporaryDirectory() as place:
        names = [f"group-{number}" for number in range(options.adapters)]
        folders = {
            name: make_adapter(block, Path(place) / name, options.rank, seed)
            for seed, name in enumerate(names)
        }
        lm = MixedLM(block, folders)
    asked, kinds = chats(options.chats), [None, *names]
    who = [kinds[at % len(kinds)] for at in range(options.chats)]
    sampling = Sampling(temperature=0.0, max_new_tokens=options.tokens)
    best: dict[str, float] = {}
    said: dict[str, list[str]] = {}
    for _ in range(options.repeats):
        for way, answer in ways(lm, asked, who, sampling).items():
            began = time.perf_counter()
            found = answer()
            best[way] = min(best.get(way, float("inf")), time.perf_counter() - began)
            said[way] = [row[0].text for row in found]
    same = said["one_at_a_time"] == said["batch_per_adapter"] == said["mixed"]
    figures = {f"{way}_s": round(seconds, 3) for way, seconds in best.items()}
    figures |= {
        "mixed_over_one_at_a_time": round(best["one_at_a_time"] / best["mixed"], 2),
        "mixed_over_batch_per_adapter": round(best["batch_per_adapter"] / best["mixed"], 2),
        "mixed_over_base_alone": round(best["base_alone"] / best["mixed"], 2),
    }
    print(json.dumps({**figures, "same_answers": same, "changed_by_adapters": _changed(said)}, indent=1))
    if figures["mixed_over_one_at_a_time"] < 3:
        raise SystemExit("a mixed batch is less than 3 times as fast as one request at a time")


def _changed(said: dict[str, list[str]]) -> int:
    """How many answers are others than the base model's: else nothing was measured."""
    return sum(a != b for a, b in zip(said["mixed"], said["base_alone"], strict=True))


if __name__ == "__main__":
    main()
