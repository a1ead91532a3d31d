"""Which way of teaching serves?  One probe and gather on the embedded world, then every variant from there.

    python benchmarks/teach.py [--seed 0] [--only NAME ...] [--set KEY=VALUE] [--extra KEY=VALUE]

Prints, per variant, correctness before and after (answers against the key), what was forgotten, the
hallucination score, and the seconds of teaching.  About two minutes a variant on 2 cores.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from selfstudy import Run, Study, load_recipe

VARIANTS: dict[str, list[str]] = {
    "sft (the demo's recipe)": [],
    "sft, no replay": ["teach.sft.replay=0"],
    "sft, replay 1x": ["teach.sft.replay=1"],
    "sft, one wording": ["teach.wordings=0"],
    "sft, no reading": ["teach.sft.reading=0"],
    "sft + dpo": ["teach.method=sft+dpo", "teach.dpo.learning_rate=0.0001"],
    "dpo alone": ["teach.method=dpo", "teach.dpo.learning_rate=0.001"],
}
FIGURES = (
    "gap_correct",
    "gap_correct_reworded",
    "gap_correct_novel",
    "known_correct",
    "reading_correct",
    "gap_hallucination",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of variants, or parts of them")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every variant")
    parser.add_argument("--extra", action="append", default=[], metavar="KEY=VALUE", help="one more variant")
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    chosen = parser.parse_args()
    recipe = Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))
    common = [f"seed={chosen.seed}", *chosen.set]
    variants = VARIANTS | ({"extra: " + " ".join(chosen.extra): chosen.extra} if chosen.extra else {})
    if chosen.only is not None:
        variants = {n: v for n, v in variants.items() if any(o in n for o in chosen.only)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.folder or Path(scratch)
        start = folder / f"start-{chosen.seed}"
        with Run.create_or_resume(start, load_recipe(recipe, common)) as run:
            study = Study(run)
            study.probe()
            study.gather()
        print(
            f"{'':28}{'':8}" + "".join(f"{name.removeprefix('gap_'):>18}" for name in FIGURES) + "   teach s"
        )
        for number, (name, overrides) in enumerate(variants.items()):
            place = folder / f"{chosen.seed}-{number}"
            with Run.create_or_resume(place, load_recipe(recipe, [*common, *overrides])) as run:
                turn = run.round(1)
                for file in (start / "rounds" / "1").iterdir():
                    if file.is_file() and not (turn.path / file.name).exists():
                        shutil.copy(file, turn.path)
            with Run.open(place) as run:
                study = Study(run)
                study.teach()
                study.verify()
                summary = study.report()
            for arm in ("before", "after"):
                figures = "".join(_shown(summary[arm][key]) for key in FIGURES)
                seconds = f"{summary['seconds']['teach']:10.0f}" if arm == "after" else ""
                print(f"{name if arm == 'before' else '':28}{arm:8}{figures}{seconds}", flush=True)
            print(f"{'':36}promoted: {summary['promoted']}", flush=True)


def _shown(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.3f'):>18}"


if __name__ == "__main__":
    main()
