"""How fast is this recipe on this machine?  Asks, scores and trains a little of what a run does much of.

What is measured is as in a run: after a warm-up, in batches, with the recipe's prompts and sampling, and with
the lengths that answers really have.  A slow model is measured in small batches, a fast one in those of a
run; what a larger batch takes follows from two parts, per step of a batch and per token.  Knows nothing of
how much a run asks (estimate.py).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from selfstudy import text
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.answering import from_document, from_memory
from selfstudy.models.base import HasWeights, LanguageModel, Sampling
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import STDIN, Recipe
from selfstudy.records import (
    Answer,
    Chat,
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
from selfstudy.teach.lesson import Lesson

if TYPE_CHECKING:
    from selfstudy.models import Models
    from selfstudy.models.base import EntailmentModel
    from selfstudy.models.server.servers import Servers
    from selfstudy.recipe import PhaseBlock

T = TypeVar("T")

SHOWN_DOCUMENTS = 200
"""Documents, evenly spread, that stand for all."""
SMALLEST, LARGEST, GROWTH = 2, 256, 4
"""Prompts of the first batch that is measured and of the largest, a block of the probe; how much larger each
one is than the one before."""
PATIENCE = 20.0
"""Seconds that the second batch of a kind may take: of one alone nobody can tell what many take."""
QUESTION = "What is the name of the largest city of the country in question?"
QUESTION_TOKENS = 64
TRAINED = 8
"""Gaps of the small lesson that is trained, and known questions beside them."""
STEPS = 3
"""Optimizer steps of it: the first one is slow, and does not count."""


@dataclass(frozen=True)
class Speed:
    """What was measured of one kind of asking.

    Attributes:
        per_second: completions per second in the largest batch.
        tokens: mean length of a completion.
        batch: seconds per batch, whatever is in it.
        prompt: seconds per prompt, to read it; None: in `per_second`.
        step: seconds per step of a batch, however many completions are in it.
        token: seconds per token of a completion, beyond that.
        longest: tokens of the longest completion.
    """

    per_second: float
    tokens: float
    batch: float = 0.0
    prompt: float | None = None
    step: float = 0.0
    token: float = 0.0
    longest: int = 0

    def seconds(self, chats: float, each: float, block: int) -> float:
        """Of so many prompts with `each` completions, asked in blocks of `block` prompts."""
        if self.prompt is None:
            return chats * each / self.per_second
        batches = math.ceil(chats / block)
        fixed = batches * (self.batch + self.longest * self.step)
        return fixed + chats * self.prompt + chats * each * self.tokens * self.token


@dataclass(frozen=True)
class Training:
    """Seconds to begin a phase, per example, and examples per gap that is taught."""

    start: float
    example: float
    examples: float


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


def measure(
    lm: LanguageModel, recipe: Recipe, documents: Sequence[Document], prompts: Prompts, seconds: float = 5.0
) -> dict[str, Speed]:
    """How fast the model answers, and at what length: asks for about `seconds`, in ever larger batches.

    A model that is slower than that is asked for one prompt of each kind, with all its completions.
    """
    return _Probe(lm, recipe, documents, prompts, seconds).run()


def measure_run(
    models: Models,
    recipe: Recipe,
    documents: Sequence[Document],
    prompts: Prompts,
    seconds: float,
    *,
    training: bool = True,
) -> Measured:
    """The same, and what scoring and (if `training`, and with room for a copy) training take with it."""
    probe = _Probe(models.lm, recipe, documents, prompts, seconds)
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


@dataclass
class _Batch:
    """One batch: prompts, longest completion, tokens of all completions, and how long it took."""

    prompts: int
    completions: int
    steps: int
    tokens: int
    seconds: float


class _Probe:
    """Asks all kinds, and keeps what was answered: `answers` in the order in which they were asked."""

    def __init__(
        self,
        lm: LanguageModel,
        recipe: Recipe,
        documents: Sequence[Document],
        prompts: Prompts,
        seconds: float,
    ) -> None:
        self._lm, self._recipe, self._prompts, self._seconds = lm, recipe, prompts, seconds
        shown = [text.under_title(one.title, one.text[:2000]) for one in spread(documents)]
        self._passages = shown or [QUESTION]
        self._asked = _given(recipe)
        self._left = seconds
        self.answers: list[tuple[Question, Answer]] = []
        self.reads: list[list[Completion]] = []

    def run(self) -> dict[str, Speed]:
        answering, seed = self._recipe.answering, self._recipe.seed
        memory = from_memory(answering, self._recipe.probe.samples, seed)
        reading = from_document(answering, max(1, self._recipe.gather.samples), seed)
        # the first call is slow, and so is the first one of many rows
        self._lm.generate([self._answer(0)], replace(memory, max_new_tokens=2))
        kinds: list[tuple[str, Callable[[int], Chat], Sampling]] = [
            ("answer", self._answer, memory),
            ("read", self._read, reading),
        ]
        if not self._asked:
            kinds.insert(0, ("question", self._question, Sampling(max_new_tokens=QUESTION_TOKENS, seed=seed)))
        found: dict[str, Speed] = {}
        for number, (kind, chat, sampling) in enumerate(kinds):
            speed = self._speed(kind, chat, sampling, max(0.0, self._left) / (len(kinds) - number))
            if speed is not None:
                found[kind] = speed
        return found

    def passage(self, number: int) -> str:
        return self._passages[number % len(self._passages)]

    def question(self, number: int) -> str:
        """A question of the source, or one that the model asked about the passage, or words of it."""
        if number < len(self._asked) and self._asked[number]:
            return self._asked[number]
        words = self.passage(number).split()
        at = (7 * number) % max(1, len(words) - 3)
        return f"What is {' '.join(words[at : at + 3])}?"

    def _question(self, number: int) -> Chat:
        return self._prompts.chat("question_document", document=self.passage(number))

    def _answer(self, number: int) -> Chat:
        return self._prompts.chat("answer", question=self.question(number))

    def _read(self, number: int) -> Chat:
        return self._prompts.chat("read", question=self.question(number), document=self.passage(number))

    def _speed(
        self, kind: str, chat: Callable[[int], Chat], sampling: Sampling, seconds: float
    ) -> Speed | None:
        """From ever larger batches, as long as the next one is likely to end in time; one is always asked."""
        began = time.perf_counter()
        first = replace(sampling, n=1, greedy_first=False, temperature=0.0, max_new_tokens=1)
        size, start, expected = SMALLEST, 0, 0.0
        reads: list[_Batch] = []
        writes: list[_Batch] = []
        while size <= LARGEST and (
            (len(reads) < 2 and expected <= PATIENCE) or time.perf_counter() - began + expected <= seconds
        ):
            chats = [chat(start + i) for i in range(size)]
            reads.append(self._timed(chats, first)[0])
            batch, rows = self._timed(chats, replace(sampling, seed=sampling.seed + start))
            if batch.completions:
                writes.append(batch)
                self._keep(kind, start, rows)
            start += size
            # a batch that is four times as large takes at most so much longer
            expected = (reads[-1].seconds + batch.seconds) * GROWTH
            size *= GROWTH
        self._left -= time.perf_counter() - began
        return _speed(reads, writes) if writes else None

    def _timed(self, chats: Sequence[Chat], sampling: Sampling) -> tuple[_Batch, list[list[Completion]]]:
        began = time.perf_counter()
        rows = self._lm.generate(chats, sampling)
        took = time.perf_counter() - began
        good = [one.tokens for row in rows for one in row if one.error is None]
        return _Batch(len(chats), len(good), max(good, default=0), sum(good), max(took, 1e-6)), rows

    def _keep(self, kind: str, start: int, rows: Sequence[Sequence[Completion]]) -> None:
        if kind == "question":
            self._asked[start:] = [row[0].text.strip() for row in rows]
        if kind == "read":
            self.reads[start:] = [list(row) for row in rows]
        if kind == "answer":
            for number, (passage, *samples) in enumerate(rows, start):
                question = Question(text=self.question(number))
                answer = Answer(question_id=question.id, passage=passage, samples=tuple(samples))
                self.answers.append((question, answer))


def _given(recipe: Recipe) -> list[str]:
    """The questions that the recipe names, where a file has them; empty where the model asks them."""
    from selfstudy.probe.external import source_lines

    for ask in recipe.probe.ask:
        if ask.questions and ask.source not in (None, STDIN):
            return list(spread(source_lines(ask), LARGEST))
    return []


def _speed(reads: Sequence[_Batch], writes: Sequence[_Batch]) -> Speed:
    """What follows from batches of several sizes; a batch's prompts are read again to write its answers."""
    read = {one.prompts: one.seconds for one in reads}
    last = writes[-1]
    batch, prompt = _two_parts([(1, one.prompts, one.seconds) for one in reads])
    step, token = _two_parts(
        [(one.steps, one.tokens, max(one.seconds - read[one.prompts], 0.05 * one.seconds)) for one in writes]
    )
    return Speed(
        per_second=last.completions / last.seconds,
        tokens=sum(one.tokens for one in writes) / sum(one.completions for one in writes),
        batch=batch,
        prompt=prompt,
        step=step,
        token=token,
        longest=max(one.steps for one in writes),
    )


def _two_parts(found: Sequence[tuple[int, int, float]]) -> tuple[float, float]:
    """Seconds per unit of two kinds, such as steps and tokens, that explain the last two batches.

    Of one batch alone all is the second kind's; so it is where noise makes a part negative.
    """
    first, second, seconds = found[-1]
    alone = seconds / max(second, 1)
    if len(found) < 2:
        return 0.0, alone
    before_first, before_second, before = found[-2]
    determinant = first * before_second - before_first * second
    if not determinant:
        return 0.0, alone
    fixed = (seconds * before_second - before * second) / determinant
    each = (before * first - seconds * before_first) / determinant
    return (fixed, each) if fixed >= 0 and each > 0 else (0.0, alone)


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
    """Notes when each step of a training ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda count: self.ends.append(time.perf_counter())


def _training(
    models: Models, recipe: Recipe, prompts: Prompts, probe: _Probe, block: PhaseBlock
) -> Training | None:
    """A small lesson of this phase, of questions that were answered: a few steps of it."""
    from selfstudy.teach.phases import PHASES, Student
    from selfstudy.teach.trainers import shared

    lesson = _lesson(recipe, prompts, probe)
    phase = PHASES[block.type]
    lm = models.lm
    if not isinstance(lm, HasWeights) or not shared.has_room(lm):
        return None
    began = time.perf_counter()
    items = phase.data(
        lesson, block, Student(False, lambda: models.lm, models.nli, Silent(), lambda name, why: None)
    )
    if not items:
        return None
    size = max(1, min(block.batch_size, len(items) // 2))
    small = block.model_copy(update={"batch_size": size, "epochs": STEPS * size / len(items)})
    report = _Steps()
    setting = shared.Setting("taught", block.type, recipe.teach.lora, recipe.seed)
    phase.load().train(shared.training_copy(lm), lm, items, small, setting, report)
    times = [after - before for before, after in pairwise([began, *report.ends])]
    if len(times) < 2:
        return None
    each = fmean(times[1:]) / size
    return Training(max(0.0, times[0] - each * size), each, len(items) / len(lesson.gaps))


def _lesson(recipe: Recipe, prompts: Prompts, probe: _Probe) -> Lesson:
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


def spread(some: Sequence[T], most: int = SHOWN_DOCUMENTS) -> Sequence[T]:
    """At most so many of them, evenly spread."""
    step = max(1, len(some) // most)
    return some[::step][:most]
