"""What one accelerator gives: generating against its roofline, entailment, training, the embedded world.

    python benchmarks/gpu.py [--size 1b 8b] [--only SECTION ...] [--out FILE] [--data FOLDER]
    python benchmarks/gpu.py --device cpu --size tiny      # everything, small, to see that it runs

About five minutes on an H100; the 8B shape needs 64 GB of the card's memory.  Language models have random
weights in the shapes of open ones (`on_gpu/shapes.py`), made on the device; nothing is downloaded.  A section
that fails or takes longer than its limit says so, and the next one goes on.

    card       a copy and a matrix product: the two ceilings that the others are held against
    generate   tokens per second of the product's decoder, of transformers' `generate` on the same batches,
               and question by question; how many greedy tokens agree
    profile    where a step of decoding spends its time
    train      LoRA of rank 16 through the product's trainer; what merging the adapter changes
    atlas      the packaged models here and on the CPU: the same answers, the same scores?
    nli        benchmarks/nli.py on this device
    demo       `selfstudy demo`, very small, on this device from end to end
    graph      a step of the model alone, launched kernel by kernel and replayed as one CUDA graph
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import nli
from on_gpu import shapes
from on_gpu.bench import Bench, Table, show
from on_gpu.decoding import generate, graph, profile
from on_gpu.training import train
from probe import questions
from selfstudy.models.base import Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.nli import EntailmentClassifier
from selfstudy.recipe import LocalModel, NLIBlock


def card(bench: Bench) -> Any:
    """The two ceilings, measured, on random data."""
    small = bench.device.type == "cpu"
    here = {"device": bench.device}
    source = torch.empty(2**20 if small else 2**30, dtype=torch.bfloat16, **here).normal_()
    target = torch.empty_like(source)
    size = 256 if small else 8192
    left = torch.randn(size, size, dtype=torch.bfloat16, **here)
    right = torch.randn(size, size, dtype=torch.bfloat16, **here)
    for _ in range(3):
        target.copy_(source)
        left @ right
    copying = median(bench.seconds(lambda: target.copy_(source)) for _ in range(10))
    product = median(bench.seconds(lambda: left @ right) for _ in range(10))
    bench.bandwidth = 2 * source.numel() * 2 / copying
    bench.peak = 2 * size**3 / product
    name = torch.cuda.get_device_name() if bench.device.type == "cuda" else "CPU"
    rows = [
        {
            "device": name,
            "torch": torch.__version__,
            "copy, GB/s": bench.bandwidth / 1e9,
            "bf16 product, TFLOP/s": bench.peak / 1e12,
        }
    ]
    show("The card", rows)
    return rows


def entailment(bench: Bench) -> Any:
    """benchmarks/nli.py, on pairs of the published data where they are, else on made ones."""
    if any(bench.data.glob("*.pickle")):
        pairs = nli.real_pairs(bench.data)
    else:
        texts = questions(2000)
        pairs = [(" ".join(texts[i : i + 2]), " ".join(texts[i + 3 : i + 7])) for i in range(len(texts) - 7)]
    options = argparse.Namespace(device=str(bench.device), token_budget=None, cpu_time=False)
    print()
    return {
        shape: nli.measure(shape, pairs, options)
        for shape in (["tiny"] if bench.tiny else ["small", "large"])
    }


def atlas(bench: Bench) -> Any:
    """The packaged models on this device beside the CPU in float32."""
    chats = bench.chats(16 if bench.tiny else 256)
    texts = questions(64)
    pairs = [(one, other) for one in texts[:16] for other in texts[16 : 20 if bench.tiny else 48]]
    greedy = Sampling(temperature=0.0, max_new_tokens=32)
    rows: Table = []
    base: dict[str, Any] = {}
    for device, dtype in (
        ("cpu", "float32"),
        (str(bench.device), "float32"),
        (str(bench.device), "bfloat16"),
    ):
        lm = LocalLM(LocalModel(path="atlas", device=device, dtype=dtype))
        judge = EntailmentClassifier(NLIBlock(path="atlas", device=device, dtype=dtype))
        lm.generate(chats[:2], greedy)
        start = time.perf_counter()
        said = [row[0].text for row in lm.generate(chats, greedy)]
        answered = time.perf_counter()
        scores = judge.probabilities(pairs)[:, 1]
        judged = time.perf_counter()
        base = base or {"said": said}
        likely = [sum(row) for row in lm.logprobs(chats, base["said"])]
        base = base if "scores" in base else {**base, "scores": scores, "likely": likely}
        rows.append(
            {
                "device": device,
                "type": dtype,
                "questions/s": len(chats) / (answered - start),
                "pairs/s": len(pairs) / (judged - answered),
                "same answers": float(np.mean([a == b for a, b in zip(said, base["said"], strict=True)])),
                "largest difference of entailment": float(np.abs(scores - base["scores"]).max()),
                "of log-probability": float(np.abs(np.array(likely) - np.array(base["likely"])).max()),
            }
        )
    show("The packaged models, beside the CPU", rows)
    return rows


DEMO = (
    "probe.ask.0.count=40",
    "probe.ask.1.count=4",
    "probe.ask.2.count=4",
    "probe.samples=4",
    "teach.wordings=1",
    "teach.sft.replay=1",
    "verify.samples=2",
    "verify.max_questions=60",
)
SMALLER = ("teach.sft.epochs=1", "probe.ask.0.count=16", "verify.max_questions=20")


def demo(bench: Bench) -> Any:
    """The loop from end to end: what was learned, and that nothing failed."""
    device = str(bench.device)
    changes = [f"model.device={device}", f"nli.device={device}", *DEMO, *(SMALLER if bench.tiny else ())]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "demo"
        command = [sys.executable, "-m", "selfstudy.cli", "demo", "--run", str(run)]
        command += [part for change in changes for part in ("--set", change)]
        start = time.perf_counter()
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "SELFSTUDY_HOME": folder}
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"the demo ended with {done.returncode}: {done.stderr[-3000:]}")
        summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    rows = [
        {
            "seconds": seconds,
            "questions": summary["questions"],
            "gaps": summary["gaps"],
            "gaps before": summary["before"]["gap_correct"],
            "gaps after": summary["after"]["gap_correct"],
            "failed items": sum(summary["errors"].values()),
            "promoted": summary["promoted"],
        }
    ]
    show("selfstudy demo, small, on this device", rows)
    return rows


SECTIONS: dict[str, tuple[Callable[[Bench], Any], int]] = {
    "card": (card, 30),
    "generate": (generate, 200),
    "profile": (profile, 90),
    "train": (train, 120),
    "atlas": (atlas, 60),
    "nli": (entailment, 90),
    "demo": (demo, 120),
    "graph": (graph, 40),
}
"""In their order, with the seconds that each may take."""


def attempt(bench: Bench, name: str, limit: int) -> None:
    """One section; what goes wrong is printed and kept in its place."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"longer than {limit} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(limit)
    start = time.perf_counter()
    try:
        bench.found[name] = SECTIONS[name][0](bench)
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        bench.found[name] = {"error": f"{type(error).__name__}: {error}"}
    finally:
        signal.alarm(0)
    bench.free()
    print(f"\n[{name}: {time.perf_counter() - start:.0f} s]", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", nargs="+", choices=sorted(shapes.SHAPES), default=["1b", "8b"])
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--limit", type=int, help="seconds of a section [default: by section]")
    parser.add_argument("--data", type=Path, default=nli.DATA, help="result files for entailment")
    parser.add_argument("--out", type=Path, help="a JSON file, written after every section")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here; to try the benchmark itself: --device cpu --size tiny")
    bench = Bench(device, options.size, options.data)
    for name in (n for n in SECTIONS if n in options.only):
        attempt(bench, name, options.limit or SECTIONS[name][1])
        if options.out:
            options.out.write_text(json.dumps(bench.found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
