"""The whole loop on the real model, as a newcomer would run it: built-in prompts, defaults, documents, a key.

35 to 57 minutes a seed on 2 cores, as the machine is.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import demo
from on_real.model import COUNTRIES, model


def run(seeds: list[int]) -> dict[str, dict[str, str]]:
    """Prints what each run measured, and gives it.  $SELFSTUDY_REAL_RUNS keeps the runs, and resumes them."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.environ.get("SELFSTUDY_REAL_RUNS") or scratch)
        questions = folder / "questions.txt"
        questions.write_text("\n".join(_questions()) + "\n", encoding="utf-8")
        recipe = folder / "real.yaml"
        recipe.write_text(json.dumps(_recipe(questions), indent=1), encoding="utf-8")  # JSON is YAML
        rows = {
            f"seed {seed}": demo.run(
                "learn", str(recipe), "--set", f"seed={seed}", folder=folder / f"real-{seed}", shown=True
            )
            for seed in seeds
        }
    demo.show(rows)
    return rows


def kept_runs(part: str) -> Path | None:
    """The folder that runs were kept in; says what to do where there is none."""
    if found := os.environ.get("SELFSTUDY_REAL_RUNS"):
        return Path(found)
    print(f"{part}: needs a run; set SELFSTUDY_REAL_RUNS to the folder that `learn` kept its runs in")
    return None


def _questions() -> list[str]:
    lines = COUNTRIES.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines]


def _recipe(questions: Path) -> dict[str, object]:
    """Nothing but what cannot be guessed: the model, the documents, what is asked, and what is true."""
    ask = {"method": "external", "source": str(questions), "questions": True, "count": len(_questions())}
    return {
        "model": {"path": str(model())},
        "library": "atlas",
        "answer_key": str(COUNTRIES),
        "probe": {"ask": [ask]},
    }
