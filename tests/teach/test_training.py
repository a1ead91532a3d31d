"""One training: what it leaves beside the weights, and what its phases are called in records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from selfstudy.models import Models, load_lm
from selfstudy.models.embedder import load as load_embedder
from selfstudy.progress import Silent
from selfstudy.recipe import EmbedderBlock
from selfstudy.records import Question, TrainingStep, VerdictKind
from selfstudy.run import curriculum
from selfstudy.teach.gaps import gaps_to_teach, judged_questions
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.training import LessonTraining

from .lessons import PROMPTS, Overlap, make_round, question, recipe

torch.set_num_threads(1)

KINDS: dict[str, VerdictKind] = {"Peru": "unknown", "Nepal": "known", "Fiji": "unverifiable"}


def test_what_was_taught_is_written_beside_the_weights(tiny_llama: Path, tmp_path: Path) -> None:
    sft = {"epochs": 1, "batch_size": 4}
    round_ = make_round(tmp_path / "run", KINDS, recipe(method="sft", sft=sft, wordings=0), tiny_llama)
    lm: Any = load_lm(round_.run.recipe.model)
    everything = judged_questions(round_)
    lesson = Lesson(round_.run.recipe, PROMPTS, gaps_to_teach(everything), everything, {})
    models = Models(lm=lm, nli=Overlap(), embedder=load_embedder(EmbedderBlock()))
    folder = tmp_path / "made"
    assert LessonTraining(round_, models, Silent(), lesson, folder, group="south").run()
    found = curriculum.read(folder / "final")
    assert found is not None
    names = {asked.text: asked.id for asked in round_.iter(Question)}
    assert (found.round, found.arm, found.group) == (1, "taught", "south")
    assert found.questions == (names[question("Peru")],)
    assert found.sources == ("Peru.txt",)
    assert found.replayed == (names[question("Nepal")],)
    assert {step.phase for step in round_.iter(TrainingStep)} == {"south/sft"}
