"""What does it cost to keep the rest?  Arms of teaching, trained on what runs of `learn` have gathered.

Each arm has the gaps, references, other wordings and general facts of a run, is trained anew, and asked
everything that the gate asks; the comparisons are the gate's own.  So an arm costs a training and an asking,
not a run.  Needs the folders of such runs ($SELFSTUDY_REAL_RUNS), taught; 15 minutes an arm and seed on 2
cores, a minute on a GPU.  Arms share one model in float32.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from on_real.learn import kept_runs
from on_real.model import in_float32
from selfstudy.loop import Study
from selfstudy.models.local.lm import LocalLM
from selfstudy.progress import Silent
from selfstudy.recipe import DistillBlock, LoraBlock
from selfstudy.records import Arm, Check, Rewording
from selfstudy.run import Run
from selfstudy.teach.gaps import gaps_to_teach, judged_questions
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.phases import PHASES, Student
from selfstudy.teach.trainers import shared
from selfstudy.verify.asking import ask
from selfstudy.verify.gains import Resampling, measure
from selfstudy.verify.questions import PlannedCheck, plan

MLP = ("gate_proj", "up_proj", "down_proj")
ARMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "keep 4": ({"keep": 4}, {}),
    "keep 8": ({"keep": 8}, {}),
    "keep 16": ({"keep": 16}, {}),
    "keep 8, MLP alone": ({"keep": 8}, {"target_modules": MLP}),
    "keep 8, replay 2, 4 epochs": ({"keep": 8, "replay": 2, "epochs": 4}, {}),
}
"""By name: what differs from the defaults of `distill`, and of its adapter."""
SHOWN = ("gap", "gap_trained", "gap_reworded", "gap_novel", "known", "general", "held_out", "reading")


def run(seeds: Sequence[int]) -> dict[str, Any]:
    """Prints, by seed and arm, the gate's comparisons: shares right before and after teaching."""
    folder = kept_runs("keep")
    if folder is None:
        return {}
    lm = LocalLM(in_float32())
    found: dict[str, Any] = {}
    for seed in seeds:
        study = Study(Run.open(folder / f"real-{seed}", write=False))
        lesson = _lesson(study, lm)
        items = plan(study.run.round(1), study.prompts, study.key)
        before = _checks(study, items, "base", lm)
        for name, (fields, lora) in ARMS.items():
            started = time.perf_counter()
            taught = _trained(lm, lesson, study, DistillBlock(**fields), LoraBlock(**lora))
            after = _checks(study, items, "taught", taught)
            gains = measure([*before, *after], Resampling(seed=seed)).gains
            seconds = time.perf_counter() - started
            shown = {key: gains[key] for key in SHOWN if key in gains}
            told = ", ".join(f"{key} {gain.before:.3f} -> {gain.after:.3f}" for key, gain in shown.items())
            print(f"seed {seed}, {name}: {told}; {seconds:.0f} s", flush=True)
            found[f"seed {seed}, {name}"] = {
                "seconds": seconds,
                **{key: gain.model_dump() for key, gain in shown.items()},
            }
    return found


def _lesson(study: Study, lm: LocalLM) -> Lesson:
    round_ = study.run.round(1)
    everything = judged_questions(round_)
    rewordings: dict[str, list[Rewording]] = {}
    for one in round_.iter(Rewording):
        rewordings.setdefault(one.question_id, []).append(one)
    prompts = study.prompts if lm.wants_demonstrations else study.prompts.without_demonstrations()
    return Lesson(study.recipe, prompts, gaps_to_teach(everything), everything, rewordings)


def _trained(lm: LocalLM, lesson: Lesson, study: Study, block: DistillBlock, lora: LoraBlock) -> LocalLM:
    student = Student(False, lambda: lm, study.nli, Silent(), lambda item, why: None)
    items = PHASES["distill"].data(lesson, block, student)
    setting = shared.Setting(arm="taught", phase="distill", lora=lora, seed=study.recipe.seed)
    trained = PHASES["distill"].load().train(shared.training_copy(lm), lm, items, block, setting, Silent())
    return LocalLM.around(shared.merged(trained.model), lm.tokenizer, style=lm.style)


def _checks(study: Study, items: Sequence[PlannedCheck], arm: Arm, lm: LocalLM) -> list[Check]:
    """The answers of a model, judged; without samples: they are for another score."""
    recipe = study.recipe
    recipe = recipe.model_copy(update={"verify": recipe.verify.model_copy(update={"samples": 0})})
    size = recipe.answering.block_size
    found: list[Check] = []
    for reading in (False, True):
        some = [item for item in items if (item.target == "reading") == reading]
        for start in range(0, len(some), size):
            found += ask(arm, lm, study.nli, study.prompts, some[start : start + size], recipe)
    return found
