"""AUROC and cost of every scorer on the embedded world, over several seeds: the table of docs/probing.md.

    python benchmarks/scorers.py [--seeds 0 1 2] [--folder FOLDER] [--set KEY=VALUE ...]

Runs the probe of the demo's recipe with all scorers, on the same answers, and compares them with what the
world's key says that the model knows.  With --runs the runs are kept, and an interrupted one goes on.
Calibrations of this user are left alone and not used: the ensemble has equal weights.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from importlib import resources
from pathlib import Path
from statistics import mean
from typing import get_args

from selfstudy import Study, load_recipe
from selfstudy.probe.comparison import Comparison, ScorerFigures, compare
from selfstudy.progress import Terminal
from selfstudy.recipe import ScorerName
from selfstudy.run import Run


def probe(folder: Path, seed: int, overrides: list[str]) -> Comparison:
    """The comparison of all scorers on the answers of one seed."""
    demo = Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))
    names = ", ".join(get_args(ScorerName))
    recipe = load_recipe(demo, [f"seed={seed}", f"probe.compare=[{names}]", *overrides])
    with Run.create_or_resume(folder / f"seed-{seed}", recipe) as run:
        Study(run, Terminal()).probe()
        return compare([run])


def table(found: dict[int, Comparison]) -> str:
    """Markdown, the best scorer first."""
    rows: dict[str, list[ScorerFigures]] = {}
    for comparison in found.values():
        for figures in comparison.scorers:
            rows.setdefault(figures.scorer, []).append(figures)

    def average(row: list[ScorerFigures], field: str) -> float:
        values = [value for one in row if (value := getattr(one, field)) is not None]
        return mean(values) if values else float("nan")

    seeds = "".join(f" seed {seed} |" for seed in found)
    lines = [
        f"| scorer |{seeds} mean | inconsistent | not scored | ms | LM calls | NLI pairs |",
        "|---|" + "---:|" * (len(found) + 6),
    ]
    for name, row in sorted(rows.items(), key=lambda item: -average(item[1], "auroc")):
        each = "".join(
            " – |" if one.auroc is None
            else f" {one.auroc:.3f} |" if one.interval is None
            else f" {one.auroc:.3f} ({one.interval[0]:.3f} to {one.interval[1]:.3f}) |"
            for one in row
        )  # fmt: skip
        lines.append(
            f"| `{name}` |{each} {average(row, 'auroc'):.3f} | {average(row, 'inconsistent'):.1%} "
            f"| {sum(one.answers - one.scored for one in row)} | {average(row, 'seconds') * 1000:.1f} "
            f"| {average(row, 'calls'):.1f} | {average(row, 'pairs'):.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SELFSTUDY_HOME"] = folder
        found = {seed: probe(options.folder or Path(folder), seed, options.set) for seed in options.seeds}
    print(table(found))
    labelled = [figures.labelled for comparison in found.values() for figures in comparison.scorers]
    print(
        f"\n{min(labelled):,} to {max(labelled):,} labelled questions; ms, calls and pairs are per question"
    )


if __name__ == "__main__":
    main()
