"""Teaching by dialogue, by what is missing and to cite, on the embedded world, and how fast that is.

    python benchmarks/atlas.py socratic [--rejected own telling outcome] [--weights lora|full|4bit]
    python benchmarks/atlas.py missing [--reward missing rating rubric random] [--steps 12]
    python benchmarks/atlas.py judging
    python benchmarks/atlas.py citing [--arm ...] [--steps 40] [--folder DIR]
    python benchmarks/atlas.py citing-speed

Every figure is of our own world: on_atlas/ has a file for each, which says what is measured.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from on_atlas import citing, citing_speed, judging, missing, socratic
from trained_weights import WAYS

SOURCES = ["own", "telling", "outcome"]
REWARDS = ["missing", "rating", "rubric", "random"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["socratic", "missing", "judging", "citing", "citing-speed"])
    parser.add_argument("--rejected", nargs="+", choices=SOURCES, default=SOURCES)
    parser.add_argument("--reward", nargs="+", choices=REWARDS, default=REWARDS)
    parser.add_argument(
        "--arm", nargs="+", choices=[*citing.ARMS, citing.CHAIN], default=[*citing.ARMS, citing.CHAIN]
    )
    parser.add_argument("--steps", type=int, help="of an online phase [default: 12; citing: 20]")
    parser.add_argument("--folder", type=Path, help="citing: keeps what is trained, and goes on from there")
    parser.add_argument("--exercises", type=int, default=150, help="to teach a tutor on")
    parser.add_argument("--weights", choices=WAYS, default="lora", help="what socratic trains")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write what was measured as JSON")
    chosen = parser.parse_args()
    if chosen.out and not chosen.out.parent.is_dir():
        parser.error(f"--out {chosen.out}: there is no folder {chosen.out.parent}")
    if chosen.what == "socratic":
        found = socratic.compare(
            chosen.rejected, exercises=chosen.exercises, seed=chosen.seed, way=chosen.weights
        )
    elif chosen.what == "missing":
        found = missing.compare(chosen.reward, steps=chosen.steps or 12, seed=chosen.seed)
    elif chosen.what == "judging":
        found = judging.compare(seed=chosen.seed)
    elif chosen.what == "citing":
        found = citing.compare(
            chosen.arm, steps=chosen.steps or citing.STEPS, seed=chosen.seed, folder=chosen.folder
        )
    else:
        found = {
            "rejection": citing_speed.rejection(seed=chosen.seed),
            "rewarding": citing_speed.rewarding(seed=chosen.seed),
            "step": citing_speed.step(seed=chosen.seed),
        }
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
