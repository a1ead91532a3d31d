"""Teach: verdicts become other wordings, examples and pairs, and these an adapter or a model, phase by phase.

Drives what the table of phases.py names; knows no phase itself.  Reads Question, Answer, Evidence,
Reference, Verdict; writes Rewording, Example, Pair, Practised, TrainingStep, TrainedItem and a folder
(models/taught.py).
A training that was killed starts again with the same seed, and leaves nothing of its first attempt but the
checkpoints of phases that make any: these go on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from selfstudy.errors import ModelError
from selfstudy.files import own
from selfstudy.models import Models, lora_targets, taught
from selfstudy.models import lora as adapters
from selfstudy.models.base import HasWeights, LanguageModel, wants_demonstrations
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.recipe import (
    CitingBlock,
    ExamplesBlock,
    LocalModel,
    OnlineDPOBlock,
    PhaseBlock,
    Recipe,
    weights_of,
)
from selfstudy.records import (
    Example,
    Failure,
    Pair,
    Practised,
    Record,
    TrainedArm,
    TrainedItem,
    TrainingStep,
)
from selfstudy.run import Round
from selfstudy.teach import followers, wordings
from selfstudy.teach.cited_practice import CitedPractice
from selfstudy.teach.gaps import JudgedQuestion, gaps_to_teach, judged_questions
from selfstudy.teach.imported import imported_lessons
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.phases import Items, Student, labelled
from selfstudy.teach.practice import Practice

if TYPE_CHECKING:
    from selfstudy.teach.trainers.shared import Setting, Trained

R = TypeVar("R", bound=Record)

_CHECKPOINTS = "checkpoints"
"""In the folder of a training: a folder for each phase that makes any."""


def run_teach(
    round_: Round,
    models: Models,
    prompts: Prompts,
    report: Reporter,
    *,
    arm: TrainedArm = "taught",
    team: followers.Team = followers.ALONE,
) -> Path | None:
    """Teaches the gaps of a round; the folder of what was trained, or None if there is nothing to teach.

    The model that is passed in stays as it is.  A training that diverges still gives a folder: a Failure
    record of stage "teach" whose item is the arm says that it is of no use.

    Args:
        arm: "control" trains as many examples and pairs with the chosen answers exchanged at random.
        team: the processes that train along.

    Raises:
        ModelError: a phase of the recipe cannot be run with this model; found before any is.
    """
    folder = round_.adapter(arm)
    temporary = own.unfinished(folder)
    if taught.is_complete(folder):
        own.remove(temporary)  # a kill may have come just before
        return folder
    everything = judged_questions(round_)
    if unsure := sum(question.unsure for question in everything):
        report.note(
            f"{unsure:,} questions share their words with too many others to be compared with all of them: "
            "near-duplicates of these may be both taught and tested"
        )
    twins: list[int] = []
    gaps = gaps_to_teach(everything, twins)
    if twins:
        report.note(
            f"{len(twins):,} gaps share their words with too many others to be compared with all of them: "
            "near-duplicates of these may be taught several times"
        )
    imported = imported_lessons(round_)
    brought = any(map(_brings_prompts, round_.run.recipe.teach.plan))
    if not (gaps or imported or brought):
        report.note("nothing to teach: no gap has an accepted reference")
        return None
    _require(round_.run.recipe, models, temporary)
    rewordings = wordings.write(round_, [*gaps, *_replayed(everything, round_)], models.lm, prompts, report)
    kept = prompts if wants_demonstrations(models.lm) else prompts.without_demonstrations()
    lesson = Lesson(round_.run.recipe, kept, gaps, everything, rewordings, imported)
    if arm == "control":
        lesson = lesson.control()
    if own.check(temporary):
        but = ", but for phases with a checkpoint" if (temporary / _CHECKPOINTS).is_dir() else ""
        report.note(f"an interrupted training starts again from its first step{but}")
        own.clear(temporary, keep=(_CHECKPOINTS,))
    _forget(round_, arm)
    own.make(temporary)
    if not _Training(round_, models, report, lesson, temporary, team).run():
        own.remove(temporary)
        return None
    taught.publish(temporary / "final", folder)
    own.remove(temporary)
    return folder


def _replayed(everything: Sequence[JudgedQuestion], round_: Round) -> list[JudgedQuestion]:
    """Known questions that some phase replays in other wordings too."""
    plan = round_.run.recipe.teach.plan
    if not any(isinstance(block, ExamplesBlock) and block.replay_wordings for block in plan):
        return []
    return [q for q in everything if q.verdict.kind == "known" and q.reference and not q.held_out]


@dataclass
class _Training:
    """From a lesson to `folder`/final; the phases leave their adapters beside it, where they train any."""

    round_: Round
    models: Models
    report: Reporter
    lesson: Lesson
    folder: Path
    team: followers.Team = followers.ALONE
    parts: list[Path] = field(default_factory=list)
    """Adapters that together make the model so far, in the order in which they are applied."""

    def run(self) -> bool:
        """Runs the phases of the recipe; whether there was anything to train on."""
        lm = _with_weights(self.models.lm)
        full = self.lesson.recipe.teach.adapter is None
        earlier = lm.adapter
        self.parts = [earlier] if earlier else []
        trained: Trained | None = None
        for label, block, phase in labelled(self.lesson.recipe.teach.plan):
            items = phase.data(self.lesson, block, self._student(trained, label))
            self._record(items)
            if not items:
                self.report.note(f"{label}: nothing to train on")
                continue
            model = followers.start(lm, trained, whole=full)
            task = followers.Task(block, items, self._setting(label), first=trained is None)
            result = self._train(model, task)
            if result.idle and trained is not None:
                trained.model = result.model  # which was made of its own
            if result.idle:
                continue
            trained = result
            if trained.failure:
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
        return True

    def _train(self, model: Any, task: followers.Task) -> Trained:
        label = task.setting.phase
        with self.team.training(task):
            trained = followers.trained(model, _with_weights(self.models.lm), task, self.report)
        if trained.idle:
            self.round_.fail("teach", label, trained.idle)
            self.report.note(f"{label} has trained nothing: {trained.idle}")
            return trained
        if task.setting.lora is not None:
            adapters.save(trained.model, folder := self.folder / label)
            self.parts.append(folder)
        self.round_.append([*trained.steps, *trained.pairs])
        self.round_.append(trained.seen.records(self.lesson.arm, label))
        for name, why in trained.dropped.items():
            self.round_.fail("teach", name, why)
        if trained.dropped:
            why = next(iter(trained.dropped.values()))
            self.report.note(f"{label}: {len(trained.dropped)} left out, too long or unreadable: {why}")
        if trained.failure:
            self.round_.fail("teach", self.lesson.arm, trained.failure)
            self.report.note(f"the training failed ({trained.failure}); a lower learning rate may help")
        return trained

    def _record(self, items: Items) -> None:
        """Examples of the control are not kept: nothing would tell them from those that are right."""
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
            base = _with_weights(self.models.lm)
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
            self.folder / _CHECKPOINTS / label,
        )

    def _setting(self, label: str) -> Setting:
        from selfstudy.teach.trainers.shared import Setting

        recipe = self.lesson.recipe
        return Setting(
            arm=self.lesson.arm,
            phase=label,
            lora=recipe.teach.adapter,
            seed=recipe.seed,
            tokens=self._token_budget,
            checkpoints=self.folder / _CHECKPOINTS / label,
        )

    @property
    def _token_budget(self) -> int:
        return (weights_of(self.lesson.recipe.model) or LocalModel()).token_budget


def _brings_prompts(block: PhaseBlock) -> bool:
    """Whether a phase has something to train on beside gaps."""
    return bool(
        (isinstance(block, OnlineDPOBlock) and block.prompts)
        or (isinstance(block, CitingBlock) and block.data)
    )


def _require(recipe: Recipe, models: Models, folder: Path) -> None:
    """Refuses, in seconds and before anything is trained, phases that this model cannot go through.

    Args:
        folder: in which it will be trained.
    """
    plan = recipe.teach.plan
    if any(phase.needs_weights for _, _, phase in labelled(plan)):
        lm = _with_weights(models.lm)
        if recipe.teach.adapter is None:
            from selfstudy.teach.trainers import memory

            memory.require_room(lm, recipe.teach, folder)
            return
        if lm.adapter:
            adapters.require_plain(lm.adapter)
        combined = len(plan) + bool(lm.adapter) > 1
        lora_targets.require_trainable(lm.model, recipe.teach.lora, combined=combined)


def _with_weights(lm: LanguageModel) -> HasWeights:
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


def _forget(round_: Round, arm: TrainedArm) -> None:
    """Removes what an interrupted training of this arm wrote, and keeps that of the other and of imports.

    The control's examples are not recorded, and its pairs alone are random.
    """
    steps, pairs = round_.read(TrainingStep), round_.read(Pair)
    examples, failures = round_.read(Example), round_.read(Failure)
    taught = arm == "taught"
    _keep(round_, TrainingStep, [step for step in steps if step.arm != arm])
    _keep(round_, TrainedItem, [one for one in round_.iter(TrainedItem) if one.arm != arm])
    _keep(round_, Failure, [f for f in failures if not (f.stage == "teach" and (taught or f.item_id == arm))])
    _keep(round_, Example, [e for e in examples if e.kind == "imported" or not taught])
    _keep(round_, Pair, [p for p in pairs if p.origin == "imported" or (p.origin == "random") == taught])


def _keep(round_: Round, kind: type[R], kept: Sequence[R]) -> None:
    if len(kept) < len(round_.ids(kind)):
        round_.rewrite(kind, kept)
