"""Training a LoRA adapter with the product's trainer, and what merging it changes."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from on_gpu import shapes
from on_gpu.bench import Bench, Table, show
from selfstudy.models.local import adapted
from selfstudy.models.local.lm import LocalLM
from selfstudy.progress import Silent
from selfstudy.recipe import LoraBlock, SFTBlock
from selfstudy.records import Example


def train(bench: Bench) -> Any:
    """Every shape: tokens per second, share of the card's peak, memory; then the merging."""
    rows: Table = []
    merges: Table = []
    for size in bench.sizes:
        row, trained = _taught(bench, size)
        bench.free()
        rows.append(row)
        show(f"LoRA of rank 16, shape {size}", [row])
        some = _merging(bench, size, trained)
        merges += some
        show("Logits beside float32 with the adapter on", some)
        del trained
        bench.free()
    return {"training": rows, "merging": merges}


class Clock(Silent):
    """Notes when each optimizer step ended."""

    def __init__(self, bench: Bench) -> None:
        self.times: list[float] = []
        self._bench = bench

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(count: int) -> None:
            self._bench.wait()
            self.times.append(time.perf_counter())

        yield advance


def _taught(bench: Bench, size: str) -> tuple[dict[str, Any], Any]:
    """Speed of the product's trainer after its first two steps, and the trained peft model."""
    from selfstudy.teach.trainers import sft, shared

    count = 32 * (8 if size == "1b" else 6) if not bench.tiny else 32
    batch = 32 if not bench.tiny else 8
    chats = bench.chats(count)
    examples = [
        Example(
            prompt=chats[i % len(chats)],
            completion=f"It is number {i}, as the page says.",
            question_id=str(i),
            kind="reference",
        )
        for i in range(count)
    ]
    lm = LocalLM.around(*shapes.make_lm(size, bench.device, torch.bfloat16), name=size)
    if bench.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    clock = Clock(bench)
    block = SFTBlock(epochs=1, batch_size=batch, learning_rate=1e-3)
    setting = shared.Setting(arm="taught", phase="sft", lora=LoraBlock(r=16, alpha=32, dropout=0.0), seed=0)
    start = time.perf_counter()
    trained = sft.train(shared.training_copy(lm), lm, examples, block, setting, clock)
    lengths = [len(row["input_ids"]) for row in sft.tokenised(lm, examples)]
    steps = len(clock.times)
    rate = sum(lengths) / count * batch * (steps - 2) / (clock.times[-1] - clock.times[1])
    parameters = sum(p.numel() for p in lm.model.parameters())
    memory = torch.cuda.max_memory_allocated() / 1e9 if bench.device.type == "cuda" else float("nan")
    return {
        "shape": size,
        "tokens an example": sum(lengths) / count,
        "steps": steps,
        "ms a step": (clock.times[-1] - clock.times[1]) / (steps - 2) * 1e3,
        "tokens/s": rate,
        # frozen weights take no gradient: 2 operations a weight forward, 2 back
        "MFU": 4 * parameters * rate / bench.peak,
        "peak memory, GB": memory,
        "seconds until the first step ended": clock.times[0] - start,
        "loss": trained.steps[-1].loss,
        "failure": trained.failure or "",
    }, trained.model


@torch.inference_mode()
def _merging(bench: Bench, size: str, model: Any) -> Table:
    """What each way of running an adapter changes of the logits, beside what the adapter itself does."""
    model.eval()
    vars(model).pop("forward", None)  # the trainer's autocast
    tokens = torch.randint(5, 256, (2, 64), generator=torch.Generator().manual_seed(0)).to(bench.device)

    def logits(one: Any) -> torch.Tensor:
        return torch.as_tensor(one(input_ids=tokens).logits.float())

    name = str(model.dtype).removeprefix("torch.")
    ways = {f"adapter on, {name}": logits(model)}
    with model.disable_adapter():
        ways[f"no adapter, {name}"] = logits(model)
    other = copy.deepcopy(model)  # merging rounds the weights
    other.merge_adapter()
    ways[f"merged in {name}"] = logits(other)
    del other
    bench.free()
    model.float()
    exact = logits(model)
    with model.disable_adapter():
        ways["no adapter, float32"] = base = logits(model)
    ways["merged in float32, as the product does"] = logits(adapted.merged(model))
    change, spread = float((exact - base).norm()), float(exact.std())
    return [
        {
            "shape": size,
            "way": way,
            "largest difference, in spreads of the logits": float((found - exact).abs().max()) / spread,
            "difference, as a share of what the adapter changes": float((found - exact).norm()) / change,
            "same best token": float((found.argmax(-1) == exact.argmax(-1)).float().mean()),
        }
        for way, found in ways.items()
    ]
