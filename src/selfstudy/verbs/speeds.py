"""How fast does a model answer the recipe's questions, and at what length?  Asks it some, in growing batches.

What is measured is as in a run: after a warm-up, in batches, with the recipe's prompts and sampling, and with
the lengths that answers really have.  A slow model is measured in small batches, a fast one in those of a
run; what a larger batch takes follows from two parts, per step of a batch and per token.  Knows nothing of
scoring and training (measuring.py), nor of how much a run asks (work.py).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from selfstudy import text
from selfstudy.models.answering import from_document, from_memory
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import STDIN, Recipe
from selfstudy.records import Answer, Chat, Completion, Document, Question

T = TypeVar("T")

SHOWN_DOCUMENTS = 200
"""Documents, evenly spread, that stand for all."""
SMALLEST, LARGEST, GROWTH = 2, 256, 4
"""Prompts of the smallest batch that is measured and of the largest, a block of the probe; how much larger
each one is than the one before."""
ROWS, FEW_TOKENS, FEW_GROWTH = 48, 8, 3
"""Completions of the largest batch of few tokens, how many tokens, and how much larger each is than the one
before: in the smallest ones weights alone take time."""
PATIENCE = 30.0
"""Seconds that a further batch of a kind may take: of one alone nobody can tell what many take."""
QUESTION = "What is the name of the largest city of the country in question?"
QUESTION_TOKENS = 64


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

    def most(self, completions: float, length: int, prompts: int) -> float:
        """Seconds of one batch, if all its completions are so long."""
        read = self.batch + prompts * (self.prompt or 0.0)
        return read + length * (self.step + completions * self.token)


@dataclass
class _Batch:
    """One batch: prompts, longest completion, tokens of all completions, and how long it took."""

    prompts: int
    completions: int
    steps: int
    tokens: int
    seconds: float


class Probe:
    """Asks all kinds for about `seconds`, in ever larger batches, and keeps what was answered.

    A model that is slower than that is asked for one prompt of each kind, with all its completions.

    Attributes:
        answers: in the order in which they were asked.
        reads: what was read out of passages, the same.
    """

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
        """Costs from ever larger batches of few tokens, and lengths from ever larger ones of whole answers.

        The first as long as a batch would take no more than PATIENCE, if it took in proportion to the one
        before; the others as long as there is time.
        """
        began = time.perf_counter()
        first = replace(sampling, n=1, greedy_first=False, temperature=0.0, max_new_tokens=1)
        few = replace(sampling, max_new_tokens=min(FEW_TOKENS, sampling.max_new_tokens))
        reads: list[_Batch] = []
        short: list[_Batch] = []
        for size in _sizes(ROWS // sampling.total):
            if reads and (reads[-1].seconds + short[-1].seconds) * size / reads[-1].prompts > PATIENCE:
                break
            chats = [chat(i) for i in range(size)]
            reads.append(self._timed(chats, first)[0])
            short.append(self._timed(chats, few)[0])
        costs = _speed(reads, short)
        size, start = GROWTH * SMALLEST, 0
        if costs.most(size * sampling.total, sampling.max_new_tokens, size) > PATIENCE:
            size = SMALLEST
        writes: list[_Batch] = []
        while size <= LARGEST and (
            not writes or time.perf_counter() - began + writes[-1].seconds * GROWTH <= seconds
        ):
            batch, rows = self._timed(
                [chat(start + i) for i in range(size)], replace(sampling, seed=sampling.seed + start)
            )
            if batch.completions:
                writes.append(batch)
                self._keep(kind, start, rows)
            start += size
            size *= GROWTH
            if not batch.completions:
                break
        self._left -= time.perf_counter() - began
        if not writes:
            return None
        return replace(
            costs,
            per_second=writes[-1].completions / writes[-1].seconds,
            tokens=sum(one.tokens for one in writes) / sum(one.completions for one in writes),
            longest=max(one.steps for one in writes),
        )

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


def _sizes(most: int) -> list[int]:
    """From the smallest batch to one of `most` prompts, each at least about FEW_GROWTH times the one before.

    What a step and a token take follows from the last two: the nearer they are, the more noise tells.
    """
    size, found = max(most, 2 * SMALLEST), list[int]()
    while size >= 2 * SMALLEST:
        found.append(size)
        size //= FEW_GROWTH
    return [SMALLEST, *reversed(found)]


def _given(recipe: Recipe) -> list[str]:
    """The questions that the recipe names, where a file has them; empty where the model asks them."""
    from selfstudy.probe.external import source_lines

    for ask in recipe.probe.ask:
        if ask.questions and ask.source_file not in (None, STDIN):
            return list(spread(source_lines(ask), LARGEST))
    return []


def _speed(reads: Sequence[_Batch], short: Sequence[_Batch]) -> Speed:
    """What follows from the two largest batches; a batch's prompts are read again to write its answers."""
    batch, prompt = _two_parts([(1, one.prompts, one.seconds) for one in reads])
    step, token = _two_parts(
        [
            (one.steps, one.tokens, max(one.seconds - read.seconds, 0.05 * one.seconds))
            for read, one in zip(reads, short, strict=True)
        ]
    )
    return Speed(per_second=0.0, tokens=0.0, batch=batch, prompt=prompt, step=step, token=token)


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


def spread(some: Sequence[T], most: int = SHOWN_DOCUMENTS) -> Sequence[T]:
    """At most so many of them, evenly spread."""
    step = max(1, len(some) // most)
    return some[::step][:most]
