"""Generating: tokens per second beside transformers and the roofline, and where a step spends its time."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from on_gpu import shapes
from on_gpu.bench import Bench, Table, show
from selfstudy.models.base import Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat

BUDGETS = (LocalModel().token_budget, 65_536)
"""Tokens of a batch: the product's default, and what a large card has room for."""
SAMPLES = 10


def generate(bench: Bench) -> Any:
    """Every shape: the speeds, then how many greedy tokens agree."""
    tables: dict[str, Table] = {}
    for size in bench.sizes:
        model, tokenizer = shapes.make_lm(size, bench.device, torch.bfloat16)
        tables[size] = _speeds(bench, model, tokenizer)
        show(f"Generation, shape {size}, bf16: a greedy answer and {SAMPLES} samples each", tables[size])
        agree = [_agreement(bench, model, tokenizer)]
        if size != "8b":
            agree.append(_agreement(bench, model.float(), tokenizer))
        tables[f"{size}, agreement"] = agree
        show(f"Greedy tokens that are the same, shape {size}", agree)
        del model
        bench.free()
    return tables


def _speeds(bench: Bench, model: Any, tokenizer: Any) -> Table:
    """Tokens per second of each way, and the share of the time that the device would need at the least."""
    chats, new = bench.chats(4 if bench.tiny else 64), 8 if bench.tiny else 48
    asked = Sampling(n=SAMPLES, greedy_first=True, max_new_tokens=new)
    rows = []

    def measure(way: str, answer: Callable[[], int]) -> None:
        with shapes.counted(model) as work:
            tokens: list[int] = []
            seconds = bench.seconds(lambda: tokens.append(answer()))
        rows.append(
            {
                "way": way,
                "tokens": tokens[0],
                "tokens/s": tokens[0] / seconds,
                "rows a pass": work.rows / work.steps,
                "ms a pass": seconds / work.steps * 1e3,
                "share of the roofline": work.seconds(bench.bandwidth, bench.peak) / seconds,
            }
        )

    for budget in BUDGETS:
        lm = LocalLM.around(model, tokenizer, name="random", token_budget=budget)
        lm.generate(chats[:2], Sampling(n=SAMPLES, max_new_tokens=4))  # warm
        longest = max(len(_encoded(tokenizer, [chat])["input_ids"][0]) for chat in chats)
        together = max(1, budget // ((SAMPLES + 1) * (longest + 1)))
        measure(
            f"product, {budget:,} tokens a batch",
            lambda lm=lm: sum(one.tokens for row in lm.generate(chats, asked) for one in row),
        )
        some = chats[: 2 * together]
        measure(
            f"transformers, {min(together, len(chats))} questions a batch",
            lambda some=some, together=together: sum(
                _plain(model, tokenizer, some[i : i + together], new, SAMPLES + 1)
                for i in range(0, len(some), together)
            ),
        )
    measure(
        "transformers, question by question",
        lambda: sum(_plain(model, tokenizer, [chat], new, n) for chat in chats[:4] for n in (0, SAMPLES)),
    )
    return rows


def _encoded(tokenizer: Any, chats: Sequence[Chat]) -> Any:
    """Left-padded prompts."""
    texts = [
        tokenizer.apply_chat_template(
            [m.model_dump() for m in chat], tokenize=False, add_generation_prompt=True
        )
        for chat in chats
    ]
    return tokenizer(
        texts, padding=True, add_special_tokens=False, return_token_type_ids=False, return_tensors="pt"
    )


def _plain(model: Any, tokenizer: Any, chats: Sequence[Chat], new: int, samples: int) -> int:
    """transformers' `generate` on one batch; samples: 0 = greedy. How many tokens came."""
    out = _written(model, tokenizer, chats, new, samples)
    return int((out != tokenizer.pad_token_id).sum())


def _written(model: Any, tokenizer: Any, chats: Sequence[Chat], new: int, samples: int) -> torch.Tensor:
    inputs = _encoded(tokenizer, chats).to(model.device)
    how = (
        {"do_sample": True, "top_k": 0, "num_return_sequences": samples} if samples else {"do_sample": False}
    )
    with torch.inference_mode():
        out = model.generate(**inputs, max_new_tokens=new, pad_token_id=tokenizer.pad_token_id, **how)
    return torch.as_tensor(out[:, inputs["input_ids"].shape[1] :])


def _agreement(bench: Bench, model: Any, tokenizer: Any) -> dict[str, Any]:
    """Greedy tokens of the product, of transformers in one batch and one by one.

    The last two show what rounding alone does.  Every token is a word, so texts can be compared.
    """
    chats, new = bench.chats(4 if bench.tiny else 16), 8 if bench.tiny else 32
    lm = LocalLM.around(model, tokenizer, name="random")
    ours = [row[0].text for row in lm.generate(chats, Sampling(temperature=0.0, max_new_tokens=new))]
    theirs = tokenizer.batch_decode(_written(model, tokenizer, chats, new, 0), skip_special_tokens=True)
    alone = [
        tokenizer.batch_decode(_written(model, tokenizer, [chat], new, 0), skip_special_tokens=True)[0]
        for chat in chats
    ]
    return {
        "type": str(model.dtype).removeprefix("torch."),
        "product and batch": _equal(ours, theirs),
        "product and one by one": _equal(ours, alone),
        "batch and one by one": _equal(theirs, alone),
    }


def _equal(first: Sequence[str], second: Sequence[str]) -> float:
    """Words that are the same at the same place, as a share of the longer text's."""
    pairs = [(a.split(), b.split()) for a, b in zip(first, second, strict=True)]
    same = sum(x == y for a, b in pairs for x, y in zip(a, b, strict=False))
    return same / max(1, sum(max(len(a), len(b)) for a, b in pairs))


KINDS = (
    ("attention", ("attention", "fmha", "flash", "sdpa")),
    (
        "choosing tokens",
        ("scan", "cumsum", "sort", "unique", "search", "softmax", "argmax", "select", "logsumexp"),
    ),
    ("matrix products", ("gemm", "gemv", "nvjet", "cutlass", "::mm", "addmm", "bmm", "linear", "splitk")),
    ("copies and gathers", ("copy", "cat", "index", "gather", "memcpy", "memset", "scatter")),
)
"""Kinds of kernels, by what is in their names; the first that fits."""


def profile(bench: Bench) -> Any:
    """Some steps of the last shape: the clock, the device by kind of kernel, the host by function.

    Few steps: what the profiler keeps of each takes it longer to sort than the step took.
    """
    from torch.profiler import ProfilerActivity

    size = bench.sizes[-1]
    lm = LocalLM.around(*shapes.make_lm(size, bench.device, torch.bfloat16), name=size)
    chats = bench.chats(2 if bench.tiny else 8)
    asked = Sampling(n=SAMPLES, greedy_first=True, max_new_tokens=4 if bench.tiny else 8)
    lm.generate(chats, asked)
    with shapes.counted(lm.model) as work:
        seconds = bench.seconds(lambda: lm.generate(chats, asked))
    cuda = bench.device.type == "cuda"
    activities = [ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as recorded:
        lm.generate(chats, asked)
        bench.wait()
    kernels, waits = _kernels(recorded.key_averages(), cuda)
    rows = _by_kind(kernels, work.steps)
    floor = work.seconds(bench.bandwidth, bench.peak)
    for what, value in (("by the clock, not profiled", seconds), ("the roofline", floor)):
        rows.append({"": what, "ms a pass": value / work.steps * 1e3, "kernels a pass": ""})
    show(
        f"A pass of decoding, shape {size}, {work.rows / work.steps:.0f} rows; "
        f"the host waits {waits / work.steps:.1f} times",
        rows,
    )
    top = [
        {"kernel": name[:90], "ms a pass": ms / work.steps, "times a pass": count / work.steps}
        for name, ms, count in kernels[:12]
    ]
    show("Its longest kernels", top)
    host = _by_function(lambda: lm.generate(chats, asked), work.steps)
    show("The host's time by function, its waits for the device included", host)
    return {"kinds": rows, "kernels": top, "waits": waits / work.steps, "host": host}


def _by_function(run: Callable[[], object], passes: int) -> Table:
    """The functions in which the host spends most by themselves; Python's profiler slows all of it."""
    profiler = cProfile.Profile()
    profiler.runcall(run)
    told = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    longest = sorted(told.items(), key=lambda one: -one[1][2])[:16]
    return [
        {
            "function": f"{Path(file).name}: {name}"[:70],
            "ms a pass": own / passes * 1e3,
            "with what it calls": whole / passes * 1e3,
            "calls a pass": calls / passes,
        }
        for (file, _, name), (_, calls, own, whole, _) in longest
    ]


def _kernels(events: Any, cuda: bool) -> tuple[list[tuple[str, float, int]], int]:
    """Name, milliseconds and count of every kernel (of operations on the CPU); the host's waits."""
    device = torch.autograd.DeviceType.CUDA if cuda else torch.autograd.DeviceType.CPU
    found = [
        (e.key, (e.self_device_time_total if cuda else e.self_cpu_time_total) / 1e3, e.count)
        for e in events
        if e.device_type == device
    ]
    waits = sum(e.count for e in events if e.key.startswith("cuda") and "Synchronize" in e.key)
    return sorted((one for one in found if one[1]), key=lambda one: -one[1]), waits


def _by_kind(kernels: Sequence[tuple[str, float, int]], passes: int) -> Table:
    spent: dict[str, tuple[float, float]] = {}
    for name, ms, count in kernels:
        kind = next((k for k, parts in KINDS if any(p in name.lower() for p in parts)), "the rest")
        before = spent.get(kind, (0.0, 0.0))
        spent[kind] = before[0] + ms / passes, before[1] + count / passes
    spent["all kernels"] = sum(ms for ms, _ in spent.values()), sum(n for _, n in spent.values())
    return [{"": kind, "ms a pass": ms, "kernels a pass": n} for kind, (ms, n) in spent.items()]


def graph(bench: Bench) -> Any:
    """The model's pass alone over a static cache: launched kernel by kernel, and replayed as one graph."""
    rows = []
    for size in bench.sizes:
        model, _ = shapes.make_lm(size, bench.device, torch.bfloat16)
        rows += [_graphed(bench, size, model, count) for count in (1, 64)]
        del model
        bench.free()
    show("A pass of the model alone, static cache of 256 tokens, ms", rows)
    return rows


@torch.inference_mode()
def _graphed(bench: Bench, size: str, model: Any, rows: int, length: int = 256) -> dict[str, Any]:
    from transformers import StaticCache

    cache = StaticCache(config=model.config, max_cache_len=length)
    ids = torch.full((rows, 1), 300, device=bench.device)
    place = torch.full((rows, 1), length // 2, device=bench.device)
    mask = torch.zeros(rows, 1, 1, length, dtype=torch.bool, device=bench.device)
    mask[..., : length // 2] = True

    def step() -> Any:
        return model(
            input_ids=ids, position_ids=place, attention_mask=mask, past_key_values=cache, use_cache=True
        ).logits

    eager = median(bench.seconds(step) for _ in range(12))
    told = {"shape": size, "rows": rows, "kernel by kernel": eager * 1e3}
    if bench.device.type == "cuda":
        recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recorded):
            step()
        told["as a graph"] = median(bench.seconds(recorded.replay) for _ in range(12)) * 1e3
    with shapes.counted(model) as work:
        step()
    return {**told, "the roofline": work.seconds(bench.bandwidth, bench.peak) * 1e3}
