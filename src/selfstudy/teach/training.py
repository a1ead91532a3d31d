"""One training: from a lesson to a folder, phase by phase; the model that is passed in stays as it is.

Drives what the table of phases.py names; knows no phase itself, nor what else the round trains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import ModelError
from selfstudy.models import Models, lora_targets
from selfstudy.models import lora as adapters
from selfstudy.models.base import HasWeights, LanguageModel, Routes
from selfstudy.progress import Reporter
from selfstudy.recipe import LocalModel, Recipe, weights_of
from selfstudy.records import Example, Pair, Practised
from selfstudy.run import Round, curriculum
from selfstudy.run.curriculum import Curriculum
from selfstudy.teach import followers
from selfstudy.teach.cited_practice import CitedPractice
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.phases import Items, Student, labelled
from selfstudy.teach.practice import Practice

if TYPE_CHECKING:
    from selfstudy.teach.trainers.shared import Setting, Trained

CHECKPOINTS = "checkpoints"
"""In the folder of a training: a folder for each phase that makes any."""


@dataclass
class LessonTraining:
    """From a lesson to `folder`/final; the phases leave their adapters beside it, where they train any."""

    round_: Round
    models: Models
    report: Reporter
    lesson: Lesson
    folder: Path
    team: followers.Team = followers.ALONE
    group: str = ""
    """What the lesson is about, where a round has several."""
    parts: list[Path] = field(default_factory=list)
    """Adapters that together make the model so far, in the order in which they are applied."""
    failed: str | None = None
    """Why what was trained is of no use."""
    _replayed: dict[str, None] = field(default_factory=dict)

    def run(self) -> bool:
        """Runs the phases of the recipe; whether there was anything to train on."""
        lm = with_weights(self.models.lm)
        full = self.lesson.recipe.teach.adapter is None
        earlier = lm.adapter
        self.parts = [earlier] if earlier else []
        trained: Trained | None = None
        for label, block, phase in labelled(self.lesson.recipe.teach.plan):
            items = phase.data(self.lesson, block, self._student(trained, label))
            self._record(items)
            if not items:
                self.report.note(f"{self.named(label)}: nothing to train on")
                continue
            model = followers.start(lm, trained, whole=full)
            task = followers.Task(block, items, self._setting(label), first=trained is None)
            result = self._train(model, task, label)
            if result.idle and trained is not None:
                trained.model = result.model  # which was made of its own
            if result.idle:
                continue
            trained = result
            self.failed = trained.failure
            if self.failed:
                break
        if trained is None:
            self.report.note("nothing to teach: no phase has anything to train on")
            return False
        if full:
            from selfstudy.models.local import weights

            trained.model.config.use_cache = lm.model.config.use_cache  # which a trainer switches off
            weights.save(trained.model, lm.tokenizer, self.folder / "final")
        elif len(self.parts) > 1:
            adapters.combine(self.parts, self.folder / "final")
        else:
            self.parts[0].rename(self.folder / "final")
        curriculum.write(self.folder / "final", self._curriculum())
        return True

    def _curriculum(self) -> Curriculum:
        """Of what was to be taught: what a trainer left out, too long or unreadable, is among it."""
        lesson = self.lesson
        made = [one.question_id for one in lesson.imported.examples]
        made += [one.question_id for one in lesson.imported.pairs]
        own = [one.question.id for one in (*lesson.gaps, *lesson.refused())]
        questions = tuple(dict.fromkeys(made or own))
        return Curriculum(
            round=self.round_.number,
            arm=lesson.arm,
            group=self.group,
            questions=questions,
            sources=() if made else tuple(sorted({gap.source for gap in lesson.gaps if gap.source})),
            replayed=tuple(name for name in self._replayed if name not in questions),
        )

    def named(self, label: str) -> str:
        """What a phase is called in records, in which there may be as many of it as there are groups."""
        return f"{self.group}/{label}" if self.group else label

    @property
    def item(self) -> str:
        """What a failure of the whole training is of."""
        return f"{self.lesson.arm}/{self.group}" if self.group else self.lesson.arm

    def _train(self, model: Any, task: followers.Task, label: str) -> Trained:
        said = task.setting.phase
        with self.team.training(task) as led:
            trained = followers.trained(model, with_weights(self.models.lm), led, self.report)
        if trained.idle:
            self.round_.fail("teach", said, trained.idle)
            self.report.note(f"{said} has trained nothing: {trained.idle}")
            return trained
        if task.setting.lora is not None:
            adapters.save(trained.model, folder := self.folder / label)
            self.parts.append(folder)
        self.round_.append([*trained.steps, *trained.pairs])
        self.round_.append(trained.seen.records(self.lesson.arm, said, self.group))
        for name, why in trained.dropped.items():
            self.round_.fail("teach", name, why)
        if trained.dropped:
            why = next(iter(trained.dropped.values()))
            self.report.note(f"{said}: {len(trained.dropped)} left out, too long or unreadable: {why}")
        if trained.failure:
            self.round_.fail("teach", self.item, trained.failure)
            self.report.note(f"the training failed ({trained.failure}); a lower learning rate may help")
        return trained

    def _record(self, items: Items) -> None:
        """Examples of the control are not kept: nothing would tell them from those that are right."""
        if not isinstance(items, Practice | CitedPractice):
            known = (one.question_id for one in items if isinstance(one, Example | Pair) and one.question_id)
            self._replayed |= dict.fromkeys(known)
        if isinstance(items, CitedPractice):
            self.round_.append(
                Practised(question_id=one.question_id, question=one.item.question)
                for one in (*items.exercises, *items.dev)
            )
        if isinstance(items, Practice | CitedPractice):
            return
        if self.lesson.arm == "taught" or not any(isinstance(item, Example) for item in items):
            self.round_.append(items)

    def _student(self, trained: Trained | None, label: str) -> Student:
        def answers() -> LanguageModel:
            from selfstudy.models.local.lm import LocalLM

            if trained is None:
                return self.models.lm
            base = with_weights(self.models.lm)
            return LocalLM.around(
                trained.model, base.tokenizer, token_budget=self._token_budget, style=base.style
            )

        def fail(name: str, why: str) -> None:
            self.round_.fail("teach", name, why)

        models = self.models
        return Student(
            trained is not None,
            answers,
            models.nli,
            self.report,
            fail,
            models.judge,
            models.embedder,
            self.folder / CHECKPOINTS / label,
        )

    def _setting(self, label: str) -> Setting:
        from selfstudy.teach.trainers.shared import Setting

        recipe = self.lesson.recipe
        return Setting(
            arm=self.lesson.arm,
            phase=self.named(label),
            lora=recipe.teach.adapter,
            seed=recipe.seed,
            tokens=self._token_budget,
            checkpoints=self.folder / CHECKPOINTS / label,
        )

    @property
    def _token_budget(self) -> int:
        return (weights_of(self.lesson.recipe.model) or LocalModel()).token_budget


def require(recipe: Recipe, models: Models, folder: Path) -> None:
    """Refuses, in seconds and before anything is trained, phases that this model cannot go through.

    Args:
        folder: in which it will be trained.
    """
    plan = recipe.teach.plan
    if any(phase.needs_weights for _, _, phase in labelled(plan)):
        lm = with_weights(models.lm)
        if recipe.deploy.type != "dynamic":
            require_unrouted(lm)
        if recipe.teach.adapter is None:
            from selfstudy.teach.trainers import memory

            memory.require_room(lm, recipe.teach, folder)
            return
        if lm.adapter:
            adapters.require_plain(lm.adapter)
        combined = len(plan) + bool(lm.adapter) > 1
        lora_targets.require_trainable(lm.model, recipe.teach.lora, combined=combined)


def require_unrouted(lm: HasWeights) -> None:
    """Refuses to train what has several adapters as if it were one model: they would be left out of it.

    Raises:
        ModelError: a router picks its adapters.
    """
    if isinstance(lm, Routes):
        raise ModelError(
            f"{lm.name} has adapters of which a router picks one: nothing can be taught on top of them",
            "go on with the run that made them, or give one of its adapters as model.adapter",
        )


def with_weights(lm: LanguageModel) -> HasWeights:
    """The model, if it can be trained.

    Raises:
        ModelError: its weights are not in this process.
    """
    if not isinstance(lm, HasWeights):
        raise ModelError(
            f"{lm.name} cannot be taught: its weights are not in this process",
            "give a local model (type: local), or run only probe and gather with this one",
        )
    return lm
