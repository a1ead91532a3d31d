"""Which way of teaching serves?  One probe and gather on the embedded world, then every variant from there.

    python benchmarks/teach.py [--seed 0] [--only NAME ...] [--set KEY=VALUE] [--extra KEY=VALUE]
    python benchmarks/teach.py --real [--seed 0] [--only NAME ...] [--steps 110] [--out FILE]

Prints, per variant, correctness before and after (answers against the key), what was forgotten (known
questions, reading, natural text and the model's own answers: on_real/drift.py), the hallucination score, and
the seconds of teaching.  Variants take as many optimizer steps as the demo's recipe, unless their name says
otherwise.  About two minutes a variant on 2 cores.  --real: the arms of on_real/teach.py on a real model.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

from on_real import teach
from on_real.drift import Drift
from selfstudy import Run, Study, load_lm, load_recipe
from selfstudy.recipe import LocalModel

DISTILL = ("teach.method=distill", "teach.distill.learning_rate=0.001", "teach.distill.reading=0.1")
SHOWN = (*DISTILL, "teach.distill.targets=reference", "teach.distill.keep=1")
VARIANTS: dict[str, list[str]] = {
    "sft (the demo's recipe)": [],
    "sft, no replay": ["teach.sft.replay=0", "teach.sft.epochs=16"],
    "sft, no replay, rehearsal": [
        *("teach.sft.replay=0", "teach.sft.swapped=1", "teach.sft.neutral=1", "teach.sft.epochs=5.5")
    ],
    "distill": [*SHOWN, "teach.distill.replay=3", "teach.distill.epochs=4"],
    "distill, no replay": [*SHOWN, "teach.distill.replay=0", "teach.distill.epochs=16"],
    "text, the rest kept": [*DISTILL, "teach.distill.replay=3", "teach.distill.epochs=4"],
    "MixSD": [
        *(
            *DISTILL,
            "teach.distill.targets=mixed",
            "teach.distill.keep=1",
            "teach.distill.replay=3",
            "teach.distill.epochs=4",
        )
    ],
    "sft, no replay, a quarter of the steps": ["teach.sft.replay=0"],
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
DRIFT = ("perplexity", "kl")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of variants, or parts of them")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every variant")
    parser.add_argument("--extra", action="append", default=[], metavar="KEY=VALUE", help="one more variant")
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    parser.add_argument("--real", action="store_true", help="the arms of on_real/teach.py instead")
    parser.add_argument("--steps", type=int, default=teach.STEPS, help="with --real: of every arm")
    parser.add_argument("--out", type=Path, help="with --real: where figures are kept as they come")
    chosen = parser.parse_args()
    if chosen.out is not None and not chosen.out.absolute().parent.is_dir():
        parser.error(f"--out: no folder at {chosen.out.absolute().parent}")
    if chosen.steps < 1:
        parser.error(f"--steps {chosen.steps}: must be 1 or more")
    if chosen.real:
        arms = _named(teach.ARMS, chosen.only, parser)
        teach.compare(arms, [chosen.seed], chosen.out, chosen.steps)
        return
    recipe = Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))
    common = [f"seed={chosen.seed}", *chosen.set]
    variants = VARIANTS | ({"extra: " + " ".join(chosen.extra): chosen.extra} if chosen.extra else {})
    variants = {name: variants[name] for name in _named(variants, chosen.only, parser)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.folder or Path(scratch)
        start = folder / f"start-{chosen.seed}"
        with Run.create_or_resume(start, load_recipe(recipe, common)) as run:
            study = Study(run)
            study.probe()
            study.gather()
        lm = load_lm(LocalModel(path="atlas"))
        drift = Drift(lm)
        names = [name.removeprefix("gap_") for name in (*FIGURES, *DRIFT)]
        print(f"{'':40}{'':8}" + "".join(f"{name:>18}" for name in names) + "   teach s")
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
                adapter = run.round(1).adapter("taught")
            taught = load_lm(LocalModel(path="atlas", adapter=adapter)) if adapter.exists() else lm
            for arm, model in (("before", lm), ("after", taught)):
                moved = drift.of(model.model)
                figures = "".join(_shown(summary[arm][key]) for key in FIGURES)
                figures += "".join(_shown(moved[key]) for key in DRIFT)
                seconds = f"{summary['seconds']['teach']:10.0f}" if arm == "after" else ""
                print(f"{name if arm == 'before' else '':40}{arm:8}{figures}{seconds}", flush=True)
            print(f"{'':48}promoted: {summary['promoted']}", flush=True)


def _named(names: Iterable[str], only: Sequence[str] | None, parser: argparse.ArgumentParser) -> list[str]:
    """Those that are meant by names, or by parts of names that are no name themselves; None: all."""
    known = list(names)
    for part in only or ():
        if not any(part in name for name in known):
            parser.error(f"--only: no arm has {part!r} in its name; there are: {'; '.join(known)}")
    return [n for n in known if only is None or any(n == o if o in known else o in n for o in only)]


def _shown(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.3f'):>18}"


if __name__ == "__main__":
    main()
