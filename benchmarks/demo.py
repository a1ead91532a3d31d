"""What `selfstudy demo` measures, over seeds: one row a seed, as Markdown.

    python benchmarks/demo.py [--seeds 0 1 2] [--folder DIR]

Each demo runs in a process of its own, so that its peak memory can be told. Three minutes a seed on 2 cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FIGURES = {
    "gap_correct": "gaps, as trained",
    "gap_correct_reworded": "held-out wordings",
    "gap_correct_novel": "novel wordings",
    "known_correct": "known questions",
    "reading_correct": "reading from a page",
    "gap_hallucination": "hallucination score on gaps",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = [_demo(seed, (chosen.folder or Path(scratch)) / f"demo-{seed}") for seed in chosen.seeds]
    columns = list(rows[0])
    print("| | " + " | ".join(f"seed {seed}" for seed in chosen.seeds) + " |")
    print("|---" * (len(rows) + 1) + "|")
    for column in columns:
        print(f"| {column} | " + " | ".join(row[column] for row in rows) + " |")


def _demo(seed: int, folder: Path) -> dict[str, str]:
    start = time.monotonic()
    command = [sys.executable, "-m", "selfstudy.cli", "demo", "--seed", str(seed), "--run", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"the demo of seed {seed} ended with status {status}: {' '.join(command)}")
    seconds = time.monotonic() - start
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    before, after = summary["before"], summary["after"]
    return {
        "questions": f"{summary['questions']:,}",
        "gaps": f"{summary['gaps']:,}",
        "AUROC": f"{summary['auroc']:.3f}",
        "SLC": f"{summary['slc']:.3f}",
        **{name: f"{before[key]:.3f} -> {after[key]:.3f}" for key, name in FIGURES.items()},
        "promoted": str(summary["promoted"]).lower(),
        "failed items": str(sum(summary["errors"].values())),
        "seconds": f"{seconds:.0f}",
        "peak memory, GB": f"{usage.ru_maxrss / 1e6:.2f}",  # kilobytes on Linux
    }


if __name__ == "__main__":
    main()
