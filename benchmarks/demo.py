"""What `selfstudy demo` measures, over seeds: one row a seed, as Markdown.

    python benchmarks/demo.py [--seeds 0 1 2] [--folder DIR]

Each demo runs in a process of its own, so that its peak memory can be told. Ten minutes a seed on 2 cores.
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
    "general_correct": "general questions",
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
        rows = {
            f"seed {seed}": run(
                "demo", "--seed", str(seed), folder=(chosen.folder or Path(scratch)) / f"demo-{seed}"
            )
            for seed in chosen.seeds
        }
    show(rows)


def show(rows: dict[str, dict[str, str]]) -> None:
    """A table with a column a run."""
    print("| | " + " | ".join(rows) + " |")
    print("|---" * (len(rows) + 1) + "|")
    for name in next(iter(rows.values())):
        print(f"| {name} | " + " | ".join(row[name] for row in rows.values()) + " |")


def run(*arguments: str, folder: Path, shown: bool = False) -> dict[str, str]:
    """What a whole loop measured, by name; it runs in a process of its own, in the run directory `folder`.

    Args:
        shown: whether its progress is, on stderr.
    """
    start = time.monotonic()
    command = [sys.executable, "-m", "selfstudy.cli", *arguments, "--run", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=None if shown else subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"ended with status {os.waitstatus_to_exitcode(status)}: {' '.join(command)}")
    seconds = time.monotonic() - start
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    before, after = summary["before"], summary["after"]
    return {
        "questions": f"{summary['questions']:,}",
        "gaps": f"{summary['gaps']:,}",
        "AUROC": _shown(summary["auroc"]),
        "SLC": _shown(summary["slc"]),
        **{
            name: f"{_shown(before[key])} -> {_shown(after[key])}"
            for key, name in FIGURES.items()
            if before[key] is not None
        },
        "promoted": str(summary["promoted"]).lower(),
        "failed items": str(sum(summary["errors"].values())),
        "seconds": f"{seconds:.0f}",
        "peak memory, GB": f"{usage.ru_maxrss / 1e6:.2f}",  # kilobytes on Linux
    }


def _shown(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


if __name__ == "__main__":
    main()
