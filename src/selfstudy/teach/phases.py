"""The phases of teaching: a row for each, beside its block in the recipe and its file in trainers/.

A row says what a phase trains on, and which file of trainers/ trains it: sft and distill are trained by one,
for an example with a teacher is learned as a distribution.  To add a phase: a block and its type
(PHASE_BLOCKS, PhaseBlock, `method` and the field of the short form) in recipe/teach.py, a file with `train`
in trainers/, a row here; a test fails where one is missing.  The driver (stage.py), imported lessons
and the estimate go by this table.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from selfstudy.judging import by_sentence
from selfstudy.models.base import Embedder, EntailmentModel, HasWeights, LanguageModel
from selfstudy.progress import Reporter
from selfstudy.recipe import (
    CitingBlock,
    DistillBlock,
    DPOBlock,
    OnlineDPOBlock,
    PhaseBlock,
    PolicyBlock,
    RejectionBlock,
    SFTBlock,
    SocraticBlock,
)
from selfstudy.records import Example, Pair
from selfstudy.teach import cited_exercises, examples, mixed, pairs, practice, rejected_turns, rejection
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise, CitedPractice
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.practice import Practice
from selfstudy.teach.rewarding import Rewards

if TYPE_CHECKING:
    from selfstudy.teach.trainers.shared import Setting, Trained

Items = Sequence[Example] | Sequence[Pair] | Practice | CitedPractice


@dataclass(frozen=True)
class Student:
    """The model between two phases.

    Attributes:
        taught: whether a phase of this lesson has trained it.
        answers: gives it as it is now, to be asked.
        nli: judges what it says.
        fail: records that an item (by id) is left out, and why.
        judge: grades what is said; where the recipe names none the model as it was.
        embedder: says how near texts are.
        folder: where a phase may keep what it takes up again after a kill; None: nowhere.
    """

    taught: bool
    answers: Callable[[], LanguageModel]
    nli: EntailmentModel
    report: Reporter
    fail: Callable[[str, str], None]
    judge: LanguageModel
    embedder: Embedder
    folder: Path | None = None

    def losing(self) -> tuple[list[str], Callable[[str, str], None]]:
        """Why items were left out so far, and what is told of one more."""
        lost: list[str] = []

        def fail(item: str, why: str) -> None:
            lost.append(why)
            self.fail(item, why)

        return lost, fail


class Trainer(Protocol):
    """What a file of trainers/ holds."""

    def train(
        self, model: Any, lm: HasWeights, items: Any, block: Any, setting: Setting, report: Reporter
    ) -> Trained:
        """Trains a new LoRA adapter on `model`; see trainers/sft.py for the arguments."""
        ...


@dataclass(frozen=True)
class Phase:
    """A row of the table.

    Attributes:
        data: what one epoch trains on, repeats included; it is recorded without them.  Or what is practised:
            then what came of it is recorded afterwards (`Trained.pairs`).
        trainer: the file of trainers/.
        asks: completions that it asks of the model for each trained wording, if a phase came before it.
        needs_weights: whether the model must be in this process, with its weights.
    """

    data: Callable[[Lesson, Any, Student], Items]
    trainer: str
    asks: int = 0
    needs_weights: bool = True

    def load(self) -> Trainer:
        """Its trainer; loads what it needs, which takes seconds."""
        return cast(Trainer, importlib.import_module(f"selfstudy.teach.trainers.{self.trainer}"))


def _examples(lesson: Lesson, block: SFTBlock, student: Student) -> Sequence[Example]:
    if lesson.imported:
        student.report.note(f"{len(lesson.imported.examples)} imported examples; nothing is replayed")
        return lesson.imported.examples
    found = examples.examples(lesson, block)
    _tell(found, student.report)
    return found


def _distilled(lesson: Lesson, block: DistillBlock, student: Student) -> Sequence[Example]:
    """Examples of which the replayed ones stay as the frozen model has them; of gaps see `block.targets`."""
    if lesson.imported:
        student.report.note(
            f"{len(lesson.imported.examples)} imported examples: trained as by sft; nothing is replayed"
        )
        return lesson.imported.examples
    found = examples.examples(lesson, block, shown=True)
    if block.targets == "text":
        found = [e.model_copy(update={"teacher": ()}) if e.kind == "reference" else e for e in found]
    if block.targets == "mixed":
        lm, limit = student.answers(), lesson.recipe.answering.reading_tokens
        found, dropped = mixed.with_mixed_targets(
            found, cast(HasWeights, lm), block, limit, lesson.recipe.seed
        )
        for name, why in dropped.items():
            student.fail(name, why)
        if dropped:
            student.report.note(f"{len(dropped)} left out: {next(iter(dropped.values()))}")
    _tell(found, student.report)
    return found


def _tell(found: Sequence[Example], report: Reporter) -> None:
    said = {
        "reference": "of gaps",
        "refusal": "of refusing",
        "reading": "with the evidence",
        "replay": "replayed",
        "swapped": "of reading another answer",
        "neutral": "neutral",
        "cited": "with citations",
    }
    counts = {kind: sum(e.kind == kind for e in found) for kind in said}
    report.note("examples: " + ", ".join(f"{n} {said[kind]}" for kind, n in counts.items() if n))


def _pairs(lesson: Lesson, block: DPOBlock, student: Student) -> Sequence[Pair]:
    """Pairs against the samples of the model, or, after another phase, against what it says now.

    Imported pairs keep the answers that they reject.
    """
    if lesson.imported:
        found = list(lesson.imported.pairs)
        student.report.note(f"{len(found)} imported preference pairs")
    else:
        found = (
            pairs.published(lesson)
            if block.labels == "published"
            else pairs.pairs(lesson, student.nli, block)
        )
        if student.taught and found and block.labels == "verdict":
            with student.report.task("teach: answers of the taught model", len(found)) as advance:
                found = pairs.against_taught(found, student.answers(), student.nli, lesson.recipe, advance)
        student.report.note(f"{len(found)} preference pairs")
    if lesson.arm == "control":
        found = pairs.as_control(found)
    return pairs.weighted(found, lesson.recipe.seed)


def _tutoring(lesson: Lesson, block: SocraticBlock, student: Student) -> Sequence[Pair]:
    """Imported dialogues: pairs as they came, and for the other next turns a worse one from the model."""
    given, alone = lesson.imported.pairs, lesson.imported.alone
    lost, fail = student.losing()
    with student.report.task("teach: worse turns", len(alone)) as advance:
        found = rejected_turns.pairs(
            alone, student.answers(), block, lesson.prompts, lesson.recipe.seed, advance, fail
        )
    student.report.note(
        f"{len(given) + len(found)} pairs of a tutor's turns, {len(given)} of them imported as pairs"
        + (f"; {len(lost)} left out: {lost[0]}" if lost else "")
    )
    both = [*given, *found]
    return pairs.as_control(both) if lesson.arm == "control" else both


def _practice(lesson: Lesson, block: OnlineDPOBlock, student: Student) -> Practice:
    """Prompts alone, the same for the control, in which the rewards of a prompt's answers are exchanged."""
    lost, fail = student.losing()
    found = practice.exercises(lesson, block, fail)
    if lost:
        student.report.note(f"{len(lost)} prompts left out: {lost[0]}")
    seed = lesson.recipe.seed
    return Practice(found, Rewards(block, lesson.prompts, student.embedder, student.judge, seed))


def _cited(
    lesson: Lesson, block: CitingBlock, student: Student
) -> tuple[list[CitedExercise], CitationRewards]:
    """Questions with documents, the same for the control, whose answers' rewards are exchanged."""
    lost, fail = student.losing()
    entailment = by_sentence.for_citations(lesson.recipe.nli, student.nli)
    found = cited_exercises.exercises(lesson, block, entailment, fail)
    if lost:
        student.report.note(f"{len(lost)} questions left out: {lost[0]}")
    level = "random" if lesson.arm == "control" else block.reward.level
    return found, cited_exercises.rewards(block.reward, entailment, level)


def _policy(lesson: Lesson, block: PolicyBlock, student: Student) -> CitedPractice:
    found, rewards = _cited(lesson, block, student)
    return cited_exercises.practice(found, rewards, block.dev, lesson.recipe.seed)


def _sampled(lesson: Lesson, block: RejectionBlock, student: Student) -> Sequence[Example]:
    """The best of what the model as it is now answers."""
    found, rewards = _cited(lesson, block, student)
    if not found:
        return []
    sampling = rejection.RejectionSampling(found, rewards, block, lesson.recipe.seed, student.folder)
    return sampling.examples(student.answers(), student.report, student.fail)


PHASES: dict[str, Phase] = {
    "sft": Phase(data=_examples, trainer="sft"),
    "dpo": Phase(data=_pairs, trainer="dpo", asks=pairs.TAUGHT_SAMPLES),
    "distill": Phase(data=_distilled, trainer="sft"),
    "socratic": Phase(data=_tutoring, trainer="dpo"),
    "online-dpo": Phase(data=_practice, trainer="online_dpo"),
    "rejection": Phase(data=_sampled, trainer="sft"),
    "ppo": Phase(data=_policy, trainer="ppo"),
    "grpo": Phase(data=_policy, trainer="grpo"),
}
"""By `type` of the block."""


def labelled(plan: Sequence[PhaseBlock]) -> list[tuple[str, PhaseBlock, Phase]]:
    """Each phase of a plan with its row, and a name of its own: a second sft is called sft-2."""
    found: list[tuple[str, PhaseBlock, Phase]] = []
    for block in plan:
        before = sum(other.type == block.type for _, other, _ in found)
        found.append((f"{block.type}-{before + 1}" if before else block.type, block, PHASES[block.type]))
    return found
