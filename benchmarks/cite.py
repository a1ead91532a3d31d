"""Training to cite, on the real model: benchmarks/on_real/citing.py says what is measured.

python benchmarks/cite.py [--folder DIR] [--samples 4] [--epochs 1]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from on_real import citing


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="keeps what is trained, and goes on from there")
    parser.add_argument("--samples", type=int, default=4, help="answers to a question, of which one is kept")
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        citing.compare(folder, seed=chosen.seed, samples=chosen.samples, epochs=chosen.epochs)


if __name__ == "__main__":
    main()
