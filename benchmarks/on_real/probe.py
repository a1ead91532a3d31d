"""How well each scorer finds what the real model does not know, and what a calibrated threshold then keeps.

443 questions with a key (model.py), answered by the product with its built-in prompts.  A question is known
if the greedy passage is right by the key.  Printed: AUROC with its 95% interval of every scorer that needs no
judge, with samples of temperature 1 and of 0.5; of ensembles with cross-fitted weights; the threshold chosen
for precision 0.9 on one half of the questions, and the precision that it has on the other.

Entailment is that of the only such model which is on this machine, atlas-nli: made for another world, so
what rests on it says little of what a good entailment model would do.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from on_real.model import COUNTRIES, GENERAL, in_float32
from selfstudy import Study
from selfstudy.judging.correctness import states
from selfstudy.probe.calibration import UnknownMask, cut_at, learned, smallest_cut
from selfstudy.progress import Terminal
from selfstudy.recipe import ScorerName
from selfstudy.recipe.file import make_recipe
from selfstudy.records import Answer, Question, Score
from selfstudy.run import Run
from selfstudy.stats import Floats, auroc, auroc_interval

DEFAULT: ScorerName = "claim-likelihood"
ALONE: tuple[ScorerName, ...] = (DEFAULT, "passage-likelihood", "p-true")
"""Scorers that read the passage alone: samples of another temperature change nothing."""
SAMPLED: tuple[ScorerName, ...] = (
    "agreement",
    "selfcheck-ngram",
    "selfcheck-embedding",
    "predictive-entropy",
    "selfcheck-nli",
    "semantic-entropy",
    "semantic-entropy-discrete",
)
ENSEMBLES: Mapping[str, tuple[str, ...]] = {
    "passage alone": ALONE,
    "no other model": (*ALONE, "agreement", "selfcheck-ngram", "predictive-entropy"),
    "all": (*ALONE, *SAMPLED),
}
TEMPERATURES = (1.0, 0.5)
SAMPLES = 5
WANTED = 0.9
SPLITS = 200

Values = dict[str, dict[str, float | None]]
"""By scorer and question id."""


def run(seeds: list[int]) -> dict[str, Any]:
    """Prints the tables, a pair for each seed of the samples.

    $SELFSTUDY_REAL_RUNS keeps and resumes the runs.
    """
    keys = [json.loads(line) for path in (COUNTRIES, GENERAL) for line in path.open(encoding="utf-8")]
    found = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(os.environ.get("SELFSTUDY_REAL_RUNS") or scratch) / f"probe-{seed}"
            folder.mkdir(exist_ok=True)
            source = folder / "questions.jsonl"
            source.write_text("\n".join(json.dumps({"question": key["question"]}) for key in keys))
            known: dict[str, bool] = {}
            values: Values = {}
            for temperature in TEMPERATURES:
                more = SAMPLED if values else (*ALONE, *SAMPLED)
                scores, known = _probe(folder, source, keys, temperature, seed, more)
                for name, by_id in scores.items():
                    values[name if name in ALONE else f"{name} T{temperature:g}"] = by_id
        countries = {question_id for question_id, _ in zip(known, range(143), strict=False)}
        found[f"seed {seed}"] = _report(values, known, countries, seed)
    return found


def _probe(
    folder: Path,
    source: Path,
    keys: list[dict[str, Any]],
    temperature: float,
    seed: int,
    scorers: tuple[ScorerName, ...],
) -> tuple[Values, dict[str, bool]]:
    """The scores of one probe, and which of its questions the model knows, in the order of the keys."""
    recipe = make_recipe(
        {
            "model": in_float32().model_dump(),
            "nli": {"path": "atlas"},
            "seed": seed,
            "answering": {"temperature": temperature, "max_new_tokens": 40},
            "probe": {
                "ask": [{"method": "external", "count": len(keys), "source": str(source), "questions": True}],
                "samples": SAMPLES,
                "scorer": scorers[0],
                "compare": scorers[1:],
            },
        },
        [],
    )
    with Run.create_or_resume(folder / f"T{temperature:g}", recipe) as opened:
        Study(opened, Terminal()).probe()
        first = opened.round(1)
        passages = {answer.question_id: answer.passage.text for answer in first.iter(Answer)}
        ids = {question.text: question.id for question in first.iter(Question)}
        values: Values = {}
        for score in first.iter(Score):
            values.setdefault(score.scorer, {})[score.question_id] = score.value
    known = {}
    for key in keys:
        accepted = key["answer"] if isinstance(key["answer"], list) else [key["answer"]]
        asked = key["question"]
        known[ids[asked]] = states(passages[ids[asked]], accepted, asked)
    return values, known


def _report(values: Values, known: Mapping[str, bool], countries: set[str], seed: int) -> dict[str, Any]:
    shown = dict(values)
    for name, members in ENSEMBLES.items():
        for temperature in TEMPERATURES:
            used = [one if one in ALONE else f"{one} T{temperature:g}" for one in members]
            label = f"ensemble of {name}" + ("" if members == ALONE else f" T{temperature:g}")
            shown[label], _ = learned({one: values[one] for one in used}, known, seed)
    groups = {
        "all": list(known),
        "countries": [key for key in known if key in countries],
        "general": [key for key in known if key not in countries],
    }
    right = {name: f"{sum(known[key] for key in ids)}/{len(ids)}" for name, ids in groups.items()}
    print(f"right: {right}\n\n| scorer | all | countries | general | unscored |\n|---|---|---|---|---:|")
    rows = {}
    for name, scores in sorted(shown.items(), key=lambda one: -(_area(one[1], known)[0] or 0)):
        areas = {group: _area(scores, {key: known[key] for key in ids}) for group, ids in groups.items()}
        missing = sum(scores.get(key) is None for key in known)
        cells = " | ".join(f"{a:.3f} ({low:.3f} to {high:.3f})" for a, low, high in areas.values())
        print(f"| {name} | {cells} | {missing} |")
        rows[name] = areas
    alone = {name: scores for name, scores in shown.items() if name in ALONE and any(scores.values())}
    halves = {name: _halves(scores, known, seed) for name, scores in alone.items()}
    print("\n| scorer | at 0.5: precision, recall | chosen on one half: precision on the other, recall |")
    print("|---|---|---|")
    for name, one in halves.items():
        print(f"| {name} | {one['default']} | {one['chosen']} |")
    return {"right": right, "auroc": rows, "thresholds": halves}


def _area(scores: Mapping[str, float | None], known: Mapping[str, bool]) -> tuple[float, float, float]:
    """AUROC for "the passage is wrong" with its interval."""
    values, unknown = _pairs(scores, known)
    area = auroc(values.tolist(), unknown.tolist())
    interval = auroc_interval(values.tolist(), unknown.tolist())
    nan = float("nan")
    return (area or nan, interval.low, interval.high) if interval else (nan, nan, nan)


def _halves(scores: Mapping[str, float | None], known: Mapping[str, bool], seed: int) -> dict[str, str]:
    """What a threshold keeps on questions that it was not chosen on: mean and spread over random halves."""
    values, unknown = _pairs(scores, known)
    default = cut_at(values, unknown, 0.5)
    cuts = np.array(list(_cuts(values, unknown, seed)))
    if not len(cuts):
        return {
            "default": f"{default.precision or 0:.3f}, {default.recall:.3f}",
            "chosen": "no half reaches it",
        }
    low, high = np.quantile(cuts[:, 1], [0.05, 0.95])
    return {
        "default": f"{default.precision or 0:.3f}, {default.recall:.3f}",
        "chosen": f"{cuts[:, 1].mean():.3f} (90% of halves: {low:.3f} to {high:.3f}), "
        f"{cuts[:, 2].mean():.3f}, threshold {np.median(cuts[:, 0]):.3f}",
    }


def _cuts(values: Floats, unknown: UnknownMask, seed: int) -> Iterator[tuple[float, float, float]]:
    """Threshold chosen on one half; its precision and recall on the other."""
    for split in range(SPLITS):
        half = np.random.default_rng(seed + split).permutation(len(values)) < len(values) // 2
        cut = smallest_cut(values[half], unknown[half], WANTED)
        if cut is not None:
            other = cut_at(values[~half], unknown[~half], cut.threshold)
            yield cut.threshold, other.precision or 0.0, other.recall


def _pairs(scores: Mapping[str, float | None], known: Mapping[str, bool]) -> tuple[Floats, UnknownMask]:
    both = [(value, not known[key]) for key in known if (value := scores.get(key)) is not None]
    return np.array([value for value, _ in both]), np.array([flag for _, flag in both], dtype=bool)
