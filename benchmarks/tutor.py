"""A tutor taught on dialogues, on the real model: benchmarks/on_real/tutor.py says what is measured.

python benchmarks/tutor.py DIALOGUES.csv [--rejected telling own] [--epochs 1] [--likelihood 1] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from on_real import tutor
from trained_weights import WAYS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dialogues", type=Path, help="a table: Prompt, Bad answer, Good answer")
    parser.add_argument("--rejected", nargs="+", choices=["telling", "own"], default=["telling"])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument(
        "--likelihood", type=float, default=1, help="weight of the better turn's likelihood beside preference"
    )
    parser.add_argument("--weights", choices=WAYS, default="lora", help="what is trained")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write what was measured as JSON")
    parser.add_argument(
        "--speed", action="store_true", help="only time an epoch of preference training, beside TRL's own"
    )
    chosen = parser.parse_args()
    if chosen.out and not chosen.out.parent.is_dir():
        parser.error(f"--out {chosen.out}: there is no folder {chosen.out.parent}")
    if chosen.speed:
        tutor.speed(chosen.dialogues, rows=chosen.rows, seed=chosen.seed)
        return
    found = tutor.compare(
        chosen.dialogues,
        chosen.rejected,
        rows=chosen.rows,
        held_out=chosen.held_out,
        seed=chosen.seed,
        epochs=chosen.epochs,
        likelihood=chosen.likelihood,
        way=chosen.weights,
    )
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
