"""Five source groups of our own world, and an adapter for each; by seed.

The withheld countries and their cities, grouped by continent (South America stands with North America), are
pages in five folders.  Every fact of a page is a gap: gaps are taken from the answer key, not from a probe,
which is minutes faster and leaves no gap out.  A gap is trained in `WORDINGS` of the wordings that atlas-lm
knows; novel ones are held out of pre-training and of teaching alike.

Knows nothing of routers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

from selfstudy import load_recipe
from selfstudy.atlas import language, world
from selfstudy.files import own
from selfstudy.judging.answer_key import JsonlKey
from selfstudy.models import lora, taught
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Question, Rewording, Verdict
from selfstudy.run import curriculum
from selfstudy.run.curriculum import Curriculum
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.phases import Student, labelled

GROUPS = {
    "Africa": "africa",
    "Asia": "asia",
    "Europe": "europe",
    "North America": "americas",
    "South America": "americas",
    "Oceania": "oceania",
}
WORDINGS, NOVEL = 3, 2
KNOWN, HELD_OUT = 600, 400
"""Facts that atlas-lm has learned: those that may be replayed and stand for the base, and those that test."""
DISTILL = (
    *("teach.method=distill", "teach.distill.learning_rate=0.001", "teach.distill.reading=0.1"),
    *("teach.distill.replay=0.5", "teach.distill.batch_size=32"),
)
"""Gaps by their text, the rest as the frozen model has it: what benchmarks/teach.py calls "text, the rest
kept", with less that is replayed."""
STEPS = 220
"""Fewest optimizer steps of a group.  So many teach 47 gaps (19 passes: 1.0 right), but two thirds of 120 to
160 (7 to 9 passes: .52 to .78); for more, ask for more."""
PER_GAP = WORDINGS * 2.1
"""Examples of an epoch for each gap: its wordings, pages, and what is replayed, swapped and neutral."""


@dataclass(frozen=True)
class Gap:
    """A fact that one group's adapter is taught: the wordings that are trained, and those that are not."""

    group: str
    fact: world.Fact
    trained: tuple[str, ...]
    novel: tuple[str, ...]

    @property
    def id(self) -> str:
        return Question(text=self.trained[0]).id

    @property
    def source(self) -> str:
        return f"{self.group}/{self.fact.entity}.md"


@dataclass(frozen=True)
class Known:
    """A fact that atlas-lm learned before."""

    fact: world.Fact
    question: str

    @property
    def id(self) -> str:
        return Question(text=self.question).id


@dataclass(frozen=True)
class Material:
    """What is taught, replayed and asked for one seed."""

    gaps: tuple[Gap, ...]
    replayed: tuple[Known, ...]
    held_out: tuple[Known, ...]

    def of(self, group: str) -> list[Gap]:
        return [gap for gap in self.gaps if gap.group == group]

    @property
    def groups(self) -> list[str]:
        return sorted({gap.group for gap in self.gaps})


@cache
def material(seed: int) -> Material:
    rng = random.Random(f"source groups:{seed}")
    gaps = []
    for fact in world.facts(known=False):
        trained = rng.sample(language.wordings(fact.attribute, fact.entity), WORDINGS)
        novel = rng.sample(language.wordings(fact.attribute, fact.entity, novel=True), NOVEL)
        gaps.append(Gap(group_of(fact.entity), fact, tuple(trained), tuple(novel)))
    facts = rng.sample(world.facts(known=True), KNOWN + HELD_OUT)
    known = [Known(f, rng.choice(language.wordings(f.attribute, f.entity))) for f in facts]
    return Material(tuple(gaps), tuple(known[:KNOWN]), tuple(known[KNOWN:]))


def group_of(entity: str) -> str:
    """By the continent of a country, or of the country of a city."""
    place = world.by_name()[entity]
    if (country := place.fact("country")) is not None:
        return group_of(country.value)
    continent = place.fact("continent")
    return GROUPS[continent.value] if continent else "other"


def unrelated() -> list[str]:
    """The built-in questions about everyday facts, in their order."""
    key = JsonlKey(Path(str(resources.files("selfstudy.verify") / "general.jsonl")))
    return [question for question, _ in key.entries()]


@cache
def pages() -> dict[str, str]:
    """The page of each entity, by name."""
    return {document.title: document.text for document in world.documents()}


def write_library(found: Material, folder: Path) -> None:
    """The pages of each group in a folder of its own."""
    for gap in found.gaps:
        file = folder / gap.source
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"# {gap.fact.entity}\n\n{pages()[gap.fact.entity]}\n", encoding="utf-8")


def recipe(seed: int, gaps: int, steps: int = STEPS) -> Recipe:
    """The demo's, distilled, for so many gaps and about so many steps."""
    demo = Path(str(resources.files("selfstudy.atlas") / "demo.yaml"))
    epochs = round(steps * 32 / (PER_GAP * gaps))
    return load_recipe(demo, [f"seed={seed}", *DISTILL, f"teach.distill.epochs={epochs}"])


def lesson(plan: Recipe, gaps: Sequence[Gap], replayed: Sequence[Known]) -> Lesson:
    """What a training of these gaps is made from; replayed questions have the key's answer as passage."""
    taught_ones = [
        _judged(gap.trained[0], gap.fact, known=False, text=pages()[gap.fact.entity]) for gap in gaps
    ]
    known = [_judged(one.question, one.fact, known=True, text=pages()[one.fact.entity]) for one in replayed]
    rewordings = {
        gap.id: [Rewording(question_id=gap.id, text=other, use="train") for other in gap.trained[1:]]
        for gap in gaps
    }
    prompts = Prompts().without_demonstrations()
    return Lesson(plan, prompts, taught_ones, [*taught_ones, *known], rewordings)


def _judged(asked: str, fact: world.Fact, *, known: bool, text: str) -> JudgedQuestion:
    answer = language.statement(fact.attribute, fact.entity, fact.value)
    question = Question(text=asked)
    return JudgedQuestion(
        question=question,
        verdict=Verdict(question_id=question.id, kind="known" if known else "unknown", score=None),
        passage=answer,
        samples=(),
        reference=answer,
        document=text,
        target=answer,
        read_target=answer,
    )


def train(given: Lesson, lm: Any, folder: Path, report: Reporter) -> None:
    """Trains a LoRA adapter on `lm` (its own adapter merged in), and publishes it as `folder`."""
    from selfstudy.teach.trainers.shared import Setting, training_copy

    ((label, block, phase),) = labelled(given.recipe.teach.plan)
    student = Student(False, lambda: lm, cast(Any, None), report, lambda *_: None, lm, cast(Any, None))
    items = phase.data(given, block, student)
    setting = Setting(arm="taught", phase=label, lora=given.recipe.teach.adapter, seed=given.recipe.seed)
    trained = phase.load().train(training_copy(lm), lm, items, block, setting, report)
    if trained.failure:
        raise SystemExit(trained.failure)
    unfinished = own.unfinished(folder)
    own.remove(unfinished)
    own.make(unfinished)
    lora.save(trained.model, unfinished / "final")
    taught.publish(unfinished / "final", folder)
    own.remove(unfinished)


def adapter_of(group: str, found: Material, folder: Path, plan: Recipe, lm: Any, report: Reporter) -> Path:
    """The adapter of a group below `folder`, called by group and hash; trained unless it is there."""
    gaps = found.of(group)
    there = sorted(folder.glob(f"{group}-*/{lora.WEIGHTS}")) if folder.is_dir() else []
    if there:
        return there[0].parent
    fresh = folder.parent / "training" / group
    if not taught.is_complete(fresh):
        fresh.parent.mkdir(parents=True, exist_ok=True)
        train(lesson(plan, gaps, found.replayed), lm, fresh, report)
    learned = Curriculum(
        round=1,
        group=group,
        questions=tuple(gap.id for gap in gaps),
        sources=tuple(sorted({gap.source for gap in gaps})),
        replayed=tuple(one.id for one in found.replayed),
    )
    curriculum.write(fresh, learned)
    folder.mkdir(parents=True, exist_ok=True)
    return fresh.rename(folder / taught.adapter_name(group, fresh))
