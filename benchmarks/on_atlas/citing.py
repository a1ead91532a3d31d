"""Training to cite on the embedded world: sampled and chosen answers, PPO and GRPO, fine-grained or not.

The start is deliberately weak: the embedded model after a little distillation.  Rewards are by atlas-nli, a
sentence at a time; what is told here is judged exactly by the world's own sentences (`atlas.entailment`), on
questions about entities that no training row is about.  Holistic rewards and random ones (those of another
answer to the prompt) at the same number of steps, questions and answers stand beside each.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfstudy.atlas.build.cited import cited_rows
from selfstudy.atlas.entailment import WorldEntailment
from selfstudy.files.rows import Row
from selfstudy.judging.by_sentence import BySentence
from selfstudy.judging.cited_items import asked, read_item
from selfstudy.models import load_lm, load_nli
from selfstudy.models.base import Sampling, wants_demonstrations
from selfstudy.progress import Terminal
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, NLIBlock
from selfstudy.recipe.file import make_recipe
from selfstudy.verbs.citing.evaluating import evaluate
from selfstudy.verbs.citing.training import STAGES, CiteStage, CiteTraining, following

TRAINED, TESTED = 600, 300
KINDS = ("factoid", "claim")
TOKENS = 80
"""Of an answer at most."""
ATLAS = LocalModel(path="atlas")
ASKED = """You answer from numbered documents and cite them.
---
Documents:
$documents
Question: $question Answer in one concise sentence and cite like [1].
"""
"""As atlas-lm was trained to be asked (prompts/cite.txt), in the place of prompts/cite_answer.txt."""
WEAK = [
    *("teach.sft.epochs=2", "teach.sft.batch_size=16", "teach.sft.learning_rate=1e-3"),
    "teach.finetuning=full",
]
STEPS = 40
ARMS: dict[str, tuple[CiteStage, str, list[str]]] = {
    "rejection, fine (beam)": ("rejection", "fine", ["teach.rejection.search=beam"]),
    "rejection, holistic (best of 16)": ("rejection", "holistic", ["teach.rejection.search=best-of"]),
    "rejection, random": ("rejection", "random", ["teach.rejection.search=best-of"]),
    "ppo, fine": ("ppo", "fine", []),
    "ppo, holistic": ("ppo", "holistic", []),
    "ppo, random": ("ppo", "random", []),
    "grpo, fine (segments)": ("grpo", "fine", []),
    "grpo, holistic (one number)": ("grpo", "holistic", ["teach.grpo.advantages=answer"]),
    "grpo, random": ("grpo", "random", ["teach.grpo.advantages=answer"]),
}
CHAIN: list[tuple[CiteStage, str, list[str]]] = [ARMS["rejection, fine (beam)"], ARMS["ppo, fine"]]


def compare(arms: Sequence[str], *, steps: int, seed: int, folder: Path | None = None) -> dict[str, Any]:
    """Trains and measures; prints a row as each is done."""
    with tempfile.TemporaryDirectory() as temporary:
        return _compare(arms, steps, seed, folder or Path(temporary))


def _compare(arms: Sequence[str], steps: int, seed: int, folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    train = cited_rows(TRAINED, seed, kinds=KINDS, names="train")
    test = cited_rows(TESTED, seed + 1000, kinds=KINDS, names="test")
    weak, rows = folder / "weak.jsonl", folder / "rows.jsonl"
    write(weak, train[: TRAINED // 4])
    write(rows, [{key: value for key, value in row.items() if key != "output"} for row in train])
    found: dict[str, Any] = {"seed": seed, "steps": steps, "rows": {}}

    def told(name: str, out: Path | None, seconds: float) -> None:
        measured, _ = measure(test, out)
        found["rows"][name] = measured | {"seconds": seconds}
        print(f"{name:34s} {line(measured)}  {seconds:5.0f} s", flush=True)
        if folder:
            (folder / "found.json").write_text(json.dumps(found, indent=1))

    told("atlas-lm", None, 0.0)
    start, seconds = stage("distill", weak, folder / "start", None, seed, WEAK)
    told("start: distilled a little", start, seconds)
    for name in arms:
        kind, level, changes = ARMS[name]
        changes = [*changes, *_steps(kind, steps), f"teach.{kind}.reward.level={level}"]
        out, seconds = stage(kind, rows, folder / _named(name), start, seed, changes)
        told(name, out, seconds)
        found["rows"][name]["curve"] = _curve(out)
    if set(arms) == set(ARMS) or "chain" in arms:
        begun = folder / _named("rejection, fine (beam)")
        out, seconds = stage("ppo", rows, folder / "chain", begun, seed, _steps("ppo", steps))
        told("chain: rejection, then ppo", out, seconds)
    return found


def stage(
    kind: CiteStage,
    data: Path,
    out: Path,
    before: Path | None,
    seed: int,
    changes: Sequence[str],
    model: LocalModel = ATLAS,
    prompts: Path | None = None,
) -> tuple[Path, float]:
    """Trains one stage, from another one or from a model; what is there already is taken as it is."""
    began = time.perf_counter()
    recipe = make_recipe({}, [f"teach.method={STAGES[kind]}", "nli.path=atlas", f"seed={seed}", *changes])
    recipe = recipe.model_copy(update={"model": model, "prompts": prompts})
    told = None
    if before is not None:
        recipe, told = following(recipe, before, chosen=False)
    training = CiteTraining(kind, recipe, data, out, Terminal(), before=told)
    if not training.is_done():
        training.run(load_lm(recipe.model), lambda: BySentence(load_nli(NLIBlock())))
    return out, time.perf_counter() - began


def measure(
    rows: Sequence[dict[str, Any]],
    out: Path | None,
    model: LocalModel = ATLAS,
    folder: Path | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Greedy answers to test rows by a stage's model, or by `model`: judged exactly, and as they are.

    Args:
        folder: of prompts.
    """
    if out is not None:
        recipe, _ = following(make_recipe({}, []), out, chosen=False)
        model = recipe.model
    lm, prompts = load_lm(model), Prompts(folder)
    prompts = prompts if wants_demonstrations(lm) else prompts.without_demonstrations()
    chats = [asked(read_item(row), prompts) for row in rows]
    answers = lm.generate(chats, Sampling(temperature=0.0, max_new_tokens=TOKENS))
    said = [one.text for (one,) in answers]
    answered = [
        Row(f"row {at}", {**row, "output": text})
        for at, (row, text) in enumerate(zip(rows, said, strict=True), 1)
    ]
    return evaluate(answered, WorldEntailment()).to_dict(), said


def line(measured: dict[str, Any]) -> str:
    weighted, trust = measured["weighted"], measured["trust"]
    return (
        f"recall {weighted['citation recall']:.3f} precision {weighted['citation precision']:.3f} "
        f"correct {weighted['correctness']:.3f} trust {trust['trust_score']:.3f} "
        f"refusal {trust['refusal']['f1']:.3f} answering {trust['answering']['f1']:.3f}"
    )


def _steps(kind: CiteStage, steps: int) -> list[str]:
    most = [f"teach.{kind}.max_new_tokens={TOKENS}"]
    if kind == "rejection":
        return most
    return [*most, f"teach.{kind}.steps={steps}", f"teach.{kind}.completions=8", f"teach.{kind}.batch_size=8"]


def _named(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())


def _curve(out: Path) -> list[dict[str, Any]]:
    lines = (out / "training.jsonl").read_text().splitlines()
    return [json.loads(one)["metrics"] for one in lines]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
