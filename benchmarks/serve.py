"""How `selfstudy serve` bears load: on real servers, in processes of their own.

python benchmarks/serve.py throughput     mixed adapters together, against one request at a time
python benchmarks/serve.py storm          10,000 requests of clients good and bad
python benchmarks/serve.py kill           kill -9 under load, and the same command again
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from on_serve import killed, storm, throughput


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["throughput", "storm", "kill"])
    parser.add_argument("--count", type=int, help="requests [default: throughput 192, storm 10000]")
    parser.add_argument("--together", type=int, help="clients [default: throughput 64, storm 200, kill 40]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write what was measured as JSON")
    chosen = parser.parse_args()
    if chosen.what == "throughput":
        found = throughput.measure(chosen.count or 192, chosen.together or 64, seed=chosen.seed)
    elif chosen.what == "storm":
        found = storm.measure(chosen.count or 10_000, chosen.together or 200, seed=chosen.seed)
    else:
        found = killed.measure(chosen.together or 40)
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
