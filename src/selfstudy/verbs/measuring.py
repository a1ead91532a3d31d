"""What does the work of a recipe take on this machine?  Asks, scores and trains a little of what a run does.

How fast the model answers is in speeds.py.  Knows nothing of how much a run asks (work.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import HasWeights, LanguageModel
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import EpochsBlock, Recipe
from selfstudy.records import (
    Answer,
    Completion,
    Document,
    Question,
    Rewording,
    Verdict,
    VerdictKind,
)
from selfstudy.run.models import block_of, own_block
from selfstudy.run.threshold import is_inconsistent, resolve
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import SHOWING, Lesson
from selfstudy.verbs.speeds import Probe, Speed

if TYPE_CHECKING:
    from selfstudy.models import Models
    from selfstudy.models.base import EntailmentModel
    from selfstudy.models.server.servers import Servers
    from selfstudy.recipe import PhaseBlock

T = TypeVar("T")

TRAINED = 8
"""Gaps of the small lesson that is trained, and known questions beside them."""
STEPS = 3
"""Optimizer steps of it: the first one is slow, and does not count."""


@dataclass(frozen=True)
class Training:
    """What a phase takes.

    Attributes:
        start: seconds to begin it.
        example: seconds per example and pass.
        examples: per gap that is taught.
        showing: seconds per gap in which the frozen model shows answers, of gaps or of what is kept, once.
    """

    start: float
    example: float
    examples: float
    showing: float = 0.0


@dataclass
class Measured:
    """What a run's work takes on this machine; what was not measured is None or absent.

    Attributes:
        speeds: by kind of asking.
        scoring: seconds per question, by all scorers of the probe.
        pair: seconds per pair that is judged by entailment.
        loading: seconds until the model is there.
        training: by place of the phase in the plan.
        gaps, known: share of the questions that were answered inconsistently, or consistently, and whose
            answer a page gave.
    """

    speeds: dict[str, Speed] = field(default_factory=dict)
    scoring: float | None = None
    pair: float | None = None
    loading: float | None = None
    training: dict[int, Training] = field(default_factory=dict)
    gaps: float | None = None
    known: float | None = None


def measure_run(
    models: Models,
    recipe: Recipe,
    documents: Sequence[Document],
    prompts: Prompts,
    seconds: float,
    *,
    training: bool = True,
) -> Measured:
    """How fast the model answers; what scoring takes, and (if asked for, and with room) training."""
    probe = Probe(models.lm, recipe, documents, prompts, seconds)
    found = Measured(probe.run())
    scores, found.scoring = _scoring(models, recipe, prompts, probe.answers)
    found.pair = _pair(models.nli, [answer for _, answer in probe.answers])
    if recipe.library is not None and probe.answers:
        found.gaps, found.known = _shares(recipe, scores, _accepted(models.nli, recipe, probe.reads))
        for place, block in enumerate(recipe.teach.plan if training else ()):
            trained = _training(models, recipe, prompts, probe, block)
            if trained is not None:
                found.training[place] = trained
    return found


def measure_recipe(
    recipe: Recipe, documents: Sequence[Document], prompts: Prompts, seconds: float, servers: Servers
) -> Measured:
    """Loads the models of a recipe and measures them, with what may be remembered left out."""
    from selfstudy.models import load_lm

    began = time.perf_counter()
    lm = load_lm(block_of(recipe, "probe"), cache=False, servers=servers)
    loading = time.perf_counter() - began
    block = own_block(recipe, "judge")
    judge = None if block is None else load_lm(block, cache=False, servers=servers)
    found = measure_run(models_around(lm, judge, recipe, prompts), recipe, documents, prompts, seconds)
    found.loading = loading
    return found


def models_around(lm: LanguageModel, judge: LanguageModel | None, recipe: Recipe, prompts: Prompts) -> Models:
    """What scores the answers of a model; no pair that is judged here is remembered."""
    from selfstudy.judging.entailment import entailment_model
    from selfstudy.models import Models, load_embedder

    embedder = load_embedder(recipe.embedder)
    asked = lm if judge is None else judge
    nli = entailment_model(recipe.nli, None, prompts, lambda block: asked, lambda: embedder)
    return Models(lm, nli, embedder, judge)


def _scoring(
    models: Models, recipe: Recipe, prompts: Prompts, answers: Sequence[tuple[Question, Answer]]
) -> tuple[list[float | None], float | None]:
    """The scores that decide, and seconds per question by all scorers of the probe."""
    from selfstudy.probe.scorers import Tools, make_scorer

    if not answers:
        return [], None
    questions, answered = [one for one, _ in answers], [one for _, one in answers]
    began = time.perf_counter()
    tools = Tools(models, prompts, recipe.probe, recipe.seed)
    names = dict.fromkeys((recipe.probe.scorer, *recipe.probe.compare))
    scores = [make_scorer(name, tools).score(questions, answered) for name in names]
    return [score.value for score in scores[0]], (time.perf_counter() - began) / len(answers)


def _accepted(nli: EntailmentModel, recipe: Recipe, reads: Sequence[Sequence[Completion]]) -> list[bool]:
    """Whether what was read out of a page would do as a reference (gather/references.py)."""
    pairs = [(row[0].text, sample.text) for row in reads for sample in row[1:]]
    against = iter(nli.probabilities(pairs)[:, 1].tolist() if pairs else ())
    found = []
    for row in reads:
        mean = fmean(next(against) for _ in row[1:])
        said = row[0].error is None and not is_refusal(row[0].text)
        found.append(said and (not recipe.gather.samples or mean <= recipe.gather.max_inconsistency))
    return found


def _shares(
    recipe: Recipe, scores: Sequence[float | None], accepted: Sequence[bool]
) -> tuple[float | None, float | None]:
    """Of questions with a score: gaps, and known ones; few tell little, so there is one more of each."""
    limit = resolve(recipe).value
    both = [(is_inconsistent(s, limit), ok) for s, ok in zip(scores, accepted, strict=False) if s is not None]
    if not both:
        return None, None
    gaps = sum(inconsistent and ok for inconsistent, ok in both)
    known = sum(ok and not inconsistent for inconsistent, ok in both)
    return (gaps + 1) / (len(both) + 2), (known + 1) / (len(both) + 2)


def _pair(nli: EntailmentModel, answers: Sequence[Answer]) -> float | None:
    """Seconds per pair, of pairs as gather and verify judge them: passage and sample the other way round."""
    pairs = [(sample.text, one.passage.text) for one in answers for sample in one.samples]
    if not pairs:
        return None
    began = time.perf_counter()
    nli.probabilities(pairs)
    return (time.perf_counter() - began) / len(pairs)


class _Steps(Silent):
    """Notes when each step of a training ended, and what showing the answers took before it, if it did."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.shown = 0
        self.showing = 0.0

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        if not label.endswith(SHOWING):
            yield lambda count: self.ends.append(time.perf_counter())
            return
        began = time.perf_counter()
        yield lambda count: None
        self.shown, self.showing = total, time.perf_counter() - began


def _training(
    models: Models, recipe: Recipe, prompts: Prompts, probe: Probe, block: PhaseBlock
) -> Training | None:
    """A small lesson of this phase, of questions that were answered: a few steps of it; of epochs alone."""
    from selfstudy.teach.phases import PHASES, Student
    from selfstudy.teach.trainers import memory, shared

    lesson = _lesson(recipe, prompts, probe)
    phase = PHASES[block.type]
    lm = models.lm
    full = recipe.teach.adapter is None
    if not isinstance(block, EpochsBlock) or not isinstance(lm, HasWeights):
        return None
    if not memory.has_room(lm, full=full):
        return None
    began = time.perf_counter()
    student = Student(
        *(False, lambda: models.lm, models.nli, Silent(), lambda name, why: None),
        judge=models.judge,
        embedder=models.embedder,
    )
    items = phase.data(lesson, block, student)
    if not items:
        return None
    size = max(1, min(block.batch_size, len(items) // 2))
    small = block.model_copy(update={"batch_size": size, "epochs": STEPS * size / len(items)})
    report = _Steps()
    setting = shared.Setting("taught", block.type, recipe.teach.adapter, recipe.seed)
    phase.load().train(shared.training_copy(lm, whole=full), lm, items, small, setting, report)
    times = [after - before for before, after in pairwise([began, *report.ends])]
    if len(times) < 2:
        return None
    each = fmean(times[1:]) / size
    start = max(0.0, times[0] - each * size - report.showing)
    gaps = len(lesson.gaps)
    return Training(start, each, len(items) / gaps, report.showing / gaps)


def _lesson(recipe: Recipe, prompts: Prompts, probe: Probe) -> Lesson:
    """Half of the questions that were answered as gaps, half as known ones."""
    judged = []
    for number, (question, answer) in enumerate(probe.answers[: 2 * TRAINED]):
        said = answer.passage.text.strip() or "-"
        kind: VerdictKind = "known" if number % 2 else "unknown"
        judged.append(
            JudgedQuestion(
                question=question,
                verdict=Verdict(question_id=question.id, kind=kind, score=0.5),
                passage=said,
                samples=tuple(sample.text for sample in answer.samples),
                reference=said,
                document=probe.passage(number),
                target=said,
                read_target=said,
            )
        )
    gaps = [one for one in judged if one.verdict.kind == "unknown"]
    others = {
        one.question.id: [
            Rewording(question_id=one.question.id, text=f"{one.question.text} ({n})", use="train")
            for n in range(recipe.teach.wordings)
        ]
        for one in gaps
    }
    return Lesson(recipe, prompts, gaps, judged, others)
