"""What the product does with a real pretrained language model (`on_real/model.py` says which, and installs).

    python benchmarks/real.py [PART ...] [--seeds 0 ...] [--out FILE]

Each part is a file of on_real/ with `run(seeds) -> dict`, which prints its table.  Figures from here are
of a real model; those of benchmarks/demo.py are of a world of our own.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

PARTS = ("learn", "selection", "keep", "probe", "entailment", "references", "questions", "teach", "speed")
"""In the order in which they run."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, help="also write what was measured as JSON")
    chosen = parser.parse_args()
    if unknown := set(chosen.part) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    found = {
        part: importlib.import_module(f"on_real.{part}").run(chosen.seeds) for part in chosen.part or PARTS
    }
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
