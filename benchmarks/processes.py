"""Do several processes train as one does, and what happens when one of them is killed?

    python benchmarks/processes.py                          every phase, divided or not
    python benchmarks/processes.py --phases ppo --kill      the same for PPO; then a rank is killed

Each phase teaches a small lesson to the embedded model (atlas), by `selfstudy teach`: in one process, in two
that torchrun starts on this machine's CPU (ddp), and in two of which accelerate divides the weights (fsdp; on
the CPU by a patch of tests/teach/test_followers.py alone, and not in phases that answer: there each process
holds all weights).  Prints the largest difference of a loss and of a weight.  With --kill a follower and then
the leader is killed (-9) in mid-training: in how many seconds all have ended, what they said, and whether the
same command then ends as an undisturbed one.  Exit code 1 if anything differs by more than 1e-4, or is not
said.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MOST = 1e-4
"""Difference of a loss, or of a weight."""
PHASES: dict[str, dict[str, Any]] = {
    "sft": {"epochs": 3, "batch_size": 4},
    "dpo": {"epochs": 3, "batch_size": 4},
    "distill": {"epochs": 3, "batch_size": 4},
    "rejection": {"epochs": 3, "batch_size": 4, "search": "best-of", "samples": 4, "least": None},
    "online-dpo": {"steps": 6, "batch_size": 7, "temperature": 2.0, "reward": {"type": "random"}},
    "ppo": {"steps": 6, "batch_size": 5, "dev": 0.0, "temperature": 1.5, "top_k": 0, "kl": 0.05},
    "grpo": {"steps": 6, "batch_size": 5, "dev": 0.0, "temperature": 1.5, "completions": 4},
}
"""Batches of which the last is short, and steps whose questions do not divide."""
SHORT = {"max_new_tokens": 24}
LAUNCHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
ENDS = 60.0
"""Seconds in which all must have ended once one is killed."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=list(PHASES))
    parser.add_argument("--full", action="store_true", help="train all weights, not an adapter")
    parser.add_argument("--kill", action="store_true", help="kill a rank of each phase too")
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    parser.add_argument("--teach", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.teach:
        teach(arguments.teach)
        return
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        equal = True
        print(
            f"{'phase':12} {'divided':8} {'steps':>5} {'loss':>9} {'weight':>9} {'s':>6} (one: s)", flush=True
        )
        for phase in arguments.phases:
            equal &= compare(phase, folder, full=arguments.full)
        for phase in arguments.phases if arguments.kill else ():
            for rank in (1, 0):
                equal &= kill(phase, rank, folder, full=arguments.full)
    sys.exit(0 if equal else 1)


def teach(run: Path) -> None:
    """The verb, in this process, as one of several or alone; digits are compared, so all is in float32."""
    import torch

    from selfstudy.cli import app
    from selfstudy.teach.trainers import fast_lora

    fast_lora.compute_dtype = lambda: torch.float32
    if "ACCELERATE_USE_FSDP" in os.environ:
        sys.path.insert(0, str(ROOT))
        from tests.teach.test_followers import shard_on_the_cpu

        shard_on_the_cpu()
    app(["teach", str(run)])


def compare(phase: str, folder: Path, *, full: bool) -> bool:
    """A row for each way in which two processes train it; whether both are as one."""
    from tests.teach.test_followers import FSDP

    one = prepared(folder / f"{phase}-one", phase, full=full)
    alone = _finished(_start(one, processes=1))
    equal = True
    for divided, environment in {"ddp": {}, "fsdp": FSDP}.items():
        two = prepared(folder / f"{phase}-{divided}", phase, full=full)
        took = _finished(_start(two, environment))
        steps, loss, weight = differences(one, two)
        equal &= max(loss, weight) <= MOST
        print(
            f"{phase:12} {divided:8} {steps:5} {loss:9.1e} {weight:9.1e} {took:6.1f} ({alone:.1f})",
            flush=True,
        )
    return equal


def kill(phase: str, rank: int, folder: Path, *, full: bool) -> bool:
    """Kills one of two in mid-training, starts them again, and compares; whether all is as it should be."""
    torn = prepared(folder / f"{phase}-killed-{rank}", phase, full=full, times=8)
    whole = folder / f"{phase}-undisturbed"
    if not whole.exists():
        _finished(_start(prepared(whole, phase, full=full, times=8)))
    running = _start(torn)
    victim = _training(running, rank)
    time.sleep(1.0)
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    try:
        _, said = running.communicate(timeout=10 * ENDS)
    finally:
        running.kill()
    took = time.monotonic() - began
    told = re.findall(r"(?:process \d[^\n]*was killed[^\n]*)", said)
    print(
        f"{phase}: rank {rank} (pid {victim}) killed in mid-training; all had ended after {took:.1f} s",
        flush=True,
    )
    print(f"    said: {told[0] if told else 'NOTHING'}", flush=True)
    _finished(_start(torn))
    _, loss, weight = differences(whole, torn)
    print(f"    started again: a loss differs by {loss:.1e}, a weight by {weight:.1e}", flush=True)
    return bool(told) and running.returncode != 0 and took < ENDS and max(loss, weight) <= MOST


def prepared(path: Path, phase: str, *, full: bool, times: int = 1) -> Path:
    """A run that has probed and gathered, and is to teach by one phase.

    Args:
        times: as many epochs, or steps, as PHASES has.
    """
    from tests.teach.lessons import make_round

    from selfstudy.recipe import LocalModel, Recipe, TeachBlock

    block = {"type": phase, **PHASES[phase], "learning_rate": 1e-3}
    block |= {"checkpoint_every": 2} if "steps" in block else {}
    block |= {name: times * block[name] for name in ("epochs", "steps") if name in block}
    if "steps" in block or phase == "rejection":
        block |= SHORT
    given = {"known_heldout": 0.0, "wordings": 0, "heldout_wordings": 0, "phases": [block]}
    given |= {"finetuning": "full"} if full else {"lora": {"r": 4, "alpha": 8}}
    kinds: Any = {"Peru": "unknown", "Chile": "misbelief", "Ghana": "unsure", "Nepal": "known"}
    kinds |= {"Cuba": "unknown", "Fiji": "unknown"}
    recipe = Recipe(model=LocalModel(path="atlas"), teach=TeachBlock.model_validate(given))
    recipe = recipe.model_copy(update={"verify": recipe.verify.model_copy(update={"control": False})})
    round_ = make_round(path, kinds, recipe)
    for stage in ("probe", "gather"):
        round_.finish(stage)  # type: ignore[arg-type]
    round_.run.close()
    return path


def differences(one: Path, two: Path) -> tuple[int, float, float]:
    """Points of the curve, and the largest difference of a loss and of a weight."""
    from safetensors.torch import load_file

    from selfstudy.records import TrainingStep
    from selfstudy.run import Run

    found = []
    for path in (one, two):
        with Run.open(path, write=False) as run:
            round_ = run.round(1)
            (file,) = round_.adapter().glob("*.safetensors")
            found.append((round_.read(TrainingStep), load_file(file)))
    (mine, weights), (theirs, others) = found
    if [step.step for step in mine] != [step.step for step in theirs] or weights.keys() != others.keys():
        return len(theirs), float("inf"), float("inf")
    losses = [abs(a.loss - b.loss) for a, b in zip(mine, theirs, strict=True)]
    apart = [float((weights[name].float() - others[name].float()).abs().max()) for name in weights]
    return len(theirs), max(losses, default=float("inf")), max(apart)


def _start(run: Path, environment: dict[str, str] | None = None, processes: int = 2) -> subprocess.Popen[str]:
    start: Sequence[str] = LAUNCHER if processes > 1 else (sys.executable,)
    told = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
    return subprocess.Popen(
        [*start, __file__, "--teach", str(run)],
        env=told,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _finished(running: subprocess.Popen[str]) -> float:
    """Seconds that it took to its end, which must be a good one."""
    began = time.monotonic()
    out, said = running.communicate(timeout=600)
    if running.returncode:
        sys.exit(f"a training ended with {running.returncode}:\n{out[-2000:]}\n{said[-4000:]}")
    return time.monotonic() - began


def _training(running: subprocess.Popen[str], rank: int) -> int:
    """The process of a rank, once its training has begun."""
    assert running.stderr is not None
    for line in running.stderr:
        if "2 processes" in line:
            break
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            told = path.read_bytes().split(b"\0")
            parent = int((path.parent / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == running.pid and f"RANK={rank}".encode() in told:
            return int(path.parent.name)
    sys.exit(f"no process of rank {rank}; it said: {running.stderr.read()[-3000:]}")


if __name__ == "__main__":
    main()
