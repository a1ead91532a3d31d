"""Training to cite on the embedded world: sampled and chosen answers, PPO and GRPO, fine-grained or not.

Questions about one to three facts, for lists and for all there is to tell, with 3 to 5 documents; a quarter
cannot be answered.  The model is atlas-lm that has practised this (citing_lm/); the start is deliberately
weak: it is distilled on a few right answers whose marks name documents at random.  Rewards are by
atlas-nli, a sentence at a time; what is told here is judged exactly by the world's own sentences
(`atlas.entailment`), on questions about entities that no training row is about.  Holistic rewards, and
random ones (those of another answer to the question), at the same number of steps, questions and answers
stand beside each.

Citations and correctness are of the questions that can be answered, where a refusal counts as 0; refusing and
Trust-Score are of all.  (A right refusal cites nothing, which is 0 in ALCE's recall: of all questions no
model could be above .75.)
"""

from __future__ import annotations

import json
import random
import re
import resource
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
from selfstudy.verbs.citing.training import STAGES, CiteStage, CiteTraining, curve, following

WEAK, TRAINED, TESTED = 320, 200, 240
TOKENS = 64
"""Of an answer at most."""
PRACTISED = LocalModel(path=str(Path(__file__).parent / "citing_lm"))
"""Atlas-lm after practice in the prompts of `cite answer`; its README says what it forgot."""
DISTILLED = [
    *("teach.sft.epochs=3", "teach.sft.batch_size=16", "teach.sft.learning_rate=5e-4"),
    "teach.finetuning=full",
]
STEPS = 20
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
SAMPLED, CHAIN = "rejection, fine (beam)", "chain: rejection, then ppo"


def compare(arms: Sequence[str], *, steps: int, seed: int, folder: Path | None = None) -> dict[str, Any]:
    """Trains and measures; prints a row as each is done, and keeps it in `folder`, if there is one."""
    with tempfile.TemporaryDirectory() as temporary:
        return _Comparison(folder or Path(temporary), steps, seed).run(arms)


class _Comparison:
    def __init__(self, folder: Path, steps: int, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._steps, self._seed = folder, steps, seed
        self._test = cited_rows(TESTED, seed + 1000, names="test")
        self._weak, self._rows = folder / "weak.jsonl", folder / "rows.jsonl"
        weak = cited_rows(WEAK, seed + 500, names="train")
        write(self._weak, _with_random_marks(weak, seed))
        write(self._rows, [row | {"output": ""} for row in cited_rows(TRAINED, seed, names="train")])
        self._kept = folder / "found.json"
        self._found: dict[str, Any] = json.loads(self._kept.read_text()) if self._kept.exists() else {}

    def run(self, arms: Sequence[str]) -> dict[str, Any]:
        self._tell("practised", None, 0.0)
        start = self._arm("start", "distill", self._weak, None, DISTILLED)
        for name in arms:
            before = start
            kind, level, changes = ARMS[SAMPLED if name == CHAIN else name]
            if name == CHAIN:
                before = self._arm(SAMPLED, kind, self._rows, start, self._changes(kind, level, changes))
                kind, level, changes = ARMS["ppo, fine"]
            self._arm(name, kind, self._rows, before, self._changes(kind, level, changes))
        return self._found

    def _arm(
        self, name: str, kind: CiteStage, data: Path, before: Path | None, changes: Sequence[str]
    ) -> Path:
        out = self._folder / "-".join(re.findall(r"\w+", name))
        out, seconds = stage(kind, data, out, before, self._seed, changes)
        self._tell(name, out, seconds)
        return out

    def _tell(self, name: str, out: Path | None, seconds: float) -> None:
        if name in self._found:
            return
        measured, _ = measure(self._test, out)
        steps = [] if out is None else [one["metrics"] for one in curve(out)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        self._found[name] = measured | {"seconds": seconds, "curve": steps, "gigabytes": peak}
        self._kept.write_text(json.dumps(self._found, indent=1))
        print(f"{name:34s} {line(measured)}  {seconds:5.0f} s {peak:.1f} GB", flush=True)

    def _changes(self, kind: CiteStage, level: str, changes: Sequence[str]) -> list[str]:
        settings: dict[str, object] = {"max_new_tokens": TOKENS, "learning_rate": 3e-3, "reward.level": level}
        if kind == "rejection":
            settings |= {"batch_size": 16, "epochs": 2}
        else:
            settings |= {"steps": self._steps, "updates": 2, "batch_size": 8, "completions": 8}
            settings |= {"temperature": 1.0, "top_k": 50, "checkpoint_every": 5, "kl": 0.02}
        return [*changes, *(f"teach.{kind}.{name}={value}" for name, value in settings.items())]


def stage(
    kind: CiteStage,
    data: Path,
    out: Path,
    before: Path | None,
    seed: int,
    changes: Sequence[str],
    model: LocalModel = PRACTISED,
) -> tuple[Path, float]:
    """Trains one stage, from another one or from a model; what is there already is taken as it is."""
    began = time.perf_counter()
    recipe = make_recipe({}, [f"teach.method={STAGES[kind]}", "nli.path=atlas", f"seed={seed}", *changes])
    recipe = recipe.model_copy(update={"model": model})
    told = None
    if before is not None:
        recipe, told = following(recipe, before, chosen=False)
    training = CiteTraining(kind, recipe, data, out, Terminal(), before=told)
    if not training.is_done():
        training.run(load_lm(recipe.model), lambda: BySentence(load_nli(NLIBlock())))
    return out, time.perf_counter() - began


def measure(
    rows: Sequence[dict[str, Any]], out: Path | None, model: LocalModel = PRACTISED
) -> tuple[dict[str, Any], list[str]]:
    """Greedy answers to test rows by a stage's model, or by `model`: judged exactly, and as they are.

    Returns:
        Figures of `all` rows, and of those that can be answered (`answerable`); the answers.
    """
    if out is not None:
        recipe, _ = following(make_recipe({}, []), out, chosen=False)
        model = recipe.model
    lm, prompts = load_lm(model), Prompts()
    prompts = prompts if wants_demonstrations(lm) else prompts.without_demonstrations()
    items = [read_item(row) for row in rows]
    chats = [asked(item, prompts) for item in items]
    answers = lm.generate(chats, Sampling(temperature=0.0, max_new_tokens=TOKENS))
    said = [one.text for (one,) in answers]
    answered = [
        Row(f"row {at}", {**row, "output": text})
        for at, (row, text) in enumerate(zip(rows, said, strict=True), 1)
    ]
    can = [one for one, item in zip(answered, items, strict=True) if item.answerable]
    found = {name: evaluate(of, WorldEntailment()) for name, of in (("all", answered), ("answerable", can))}
    return {name: one.to_dict() for name, one in found.items()}, said


def line(measured: dict[str, Any]) -> str:
    weighted, trust = measured["answerable"]["weighted"], measured["all"]["trust"]
    return (
        f"recall {weighted['citation recall']:.3f} precision {weighted['citation precision']:.3f} "
        f"correct {weighted['correctness']:.3f} trust {trust['trust_score']:.3f} "
        f"refusal {trust['refusal']['f1']:.3f} answering {trust['answering']['f1']:.3f}"
    )


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _with_random_marks(rows: Sequence[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """The right answers, whose marks name documents at random."""
    rng = random.Random(f"{seed}:marks")

    def changed(row: dict[str, Any]) -> str:
        return re.sub(r"\[\d\]", lambda _: f"[{rng.randint(1, len(row['docs']))}]", str(row["output"]))

    return [row | {"output": changed(row)} for row in rows]
