"""References out of a library whose pages contradict each other or are out of date, on the embedded world.

    python benchmarks/conflicts.py gather [--seeds 0 1 2] [--out FILE]     half a minute a row and seed
    python benchmarks/conflicts.py learn [--seed 0] [--folder DIR]         the whole loop, twice

`gather` reads references for the facts that pages disagree on, and for as many others, by each way of dealing
with conflicts; `learn` teaches from them, once with and once without, and asks what was contradicted.  The
library is that of on_atlas/conflicting.py; every figure is of our own world.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from on_atlas import disagreeing


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["gather", "learn"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", choices=list(disagreeing.WAYS), default=list(disagreeing.WAYS))
    parser.add_argument("--seed", type=int, default=0, help="of learn")
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    parser.add_argument("--out", type=Path, help="also write what was measured as JSON")
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        found: Any
        if chosen.what == "gather":
            found = disagreeing.gather(chosen.ways, chosen.seeds, folder)
        else:
            ways = [way for way in chosen.ways if way in ("ignore", "careful")]
            found = disagreeing.learn(chosen.seed, folder, ways)
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
