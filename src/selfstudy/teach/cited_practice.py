"""What training to cite practises: questions with numbered documents, and what answers to them earn.

All answers of a step are judged together, in three turns of the entailment model at most.  Whether documents
answer is known where the item says which of them holds what (`answers_found`); else nothing is earned for
refusing.  Knows nothing of training.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Literal, Protocol

from selfstudy.judging import citations, gold_answers, trust
from selfstudy.judging.cited_answers import judged_items
from selfstudy.judging.cited_items import CitedItem
from selfstudy.models.base import EntailmentModel
from selfstudy.records import Chat
from selfstudy.teach.practice import places
from selfstudy.teach.rewards import CitationWeights, SpanReward, fine_grained, holistic
from selfstudy.text import normalise

RewardLevel = Literal["fine", "holistic", "random"]
"""Each part where it is earned; all at the end; or, as a control, those of another answer to the prompt."""


@dataclass(frozen=True, slots=True)
class CitedExercise:
    """A question to practise.

    Attributes:
        prompt: how the model is asked (`cited_items.asked`).
        question_id: tells it from all others.
        answer: a right one with citations, to learn from; empty: none is known.
    """

    prompt: Chat
    item: CitedItem
    question_id: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class RewardedAnswer:
    """An output and what its characters have earned.

    Attributes:
        spans: places in the output as it was given.
        error: why it could not be judged; then it has no rewards, and counts for nothing.
    """

    text: str
    spans: tuple[SpanReward, ...] = ()
    error: str = ""

    @property
    def total(self) -> float:
        """All of it together."""
        return fsum(one.value for one in self.spans)


class AnswerRewards(Protocol):
    """What answers earn; see `CitationRewards`, which says it."""

    name: str
    level: RewardLevel

    @property
    def told(self) -> str: ...

    def rewards(
        self,
        exercises: Sequence[CitedExercise],
        outputs: Sequence[Sequence[str]],
        seed: int = 0,
        *,
        never_own: bool = False,
    ) -> list[list[RewardedAnswer]]: ...


@dataclass(frozen=True)
class CitedPractice:
    """What is practised, and what answers earn.

    Attributes:
        dev: kept apart: the weights that answer them best are the result.
    """

    exercises: Sequence[CitedExercise]
    rewards: AnswerRewards
    dev: Sequence[CitedExercise] = ()

    def __len__(self) -> int:
        return len(self.exercises)

    def batch(self, seed: int, step: int, size: int) -> list[CitedExercise]:
        """The exercises of a step, counted from 0; see `Practice.batch`."""
        return [self.exercises[place] for place in places(len(self), seed, step, size)]


class CitationRewards:
    """Judges outputs; several to a prompt stand behind each other.

    Attributes:
        name: of the entailment model.
        level: where what is earned is paid.
    """

    def __init__(
        self, entailment: EntailmentModel, weights: CitationWeights, level: RewardLevel = "fine"
    ) -> None:
        self._entailment, self._weights, self.level = entailment, weights, level
        self.name = entailment.name

    @property
    def told(self) -> str:
        """All that rewards depend on, in words."""
        return f"{self.name}\0{self._weights}\0{self.level}"

    def rewards(
        self,
        exercises: Sequence[CitedExercise],
        outputs: Sequence[Sequence[str]],
        seed: int = 0,
        *,
        never_own: bool = False,
    ) -> list[list[RewardedAnswer]]:
        """What each output earns.

        Args:
            outputs: of each exercise, any number.
            seed: of the control, whose chance goes by it and the exercise, whatever else is judged.
            never_own: in the control no output gets its own rewards, if there are others.  For who compares
                outputs of all prompts its own would be a signal, of 1 in n; who compares those of one prompt
                learns nothing if each may get any, and the contrary if not.
        """
        flat = [(one.item, text) for one, row in zip(exercises, outputs, strict=True) for text in row]
        lines = [citations.said(text) for _, text in flat]
        judged = judged_items([item for item, _ in flat], lines, self._entailment)
        rest = (
            self._rewarded(item, text, line, *of)
            for (item, text), line, of in zip(flat, lines, judged, strict=True)
        )
        rows = [[next(rest) for _ in row] for row in outputs]
        return [
            self._exchanged(row, f"{seed}:{one.question_id}", never_own)
            for one, row in zip(exercises, rows, strict=True)
        ]

    def _rewarded(
        self, item: CitedItem, text: str, line: str, cited: citations.CitedAnswer, labels: Sequence[str]
    ) -> RewardedAnswer:
        if cited.error is not None:
            return RewardedAnswer(text, error=cited.error)
        refused = trust.refuses(line)
        if refused:  # it makes no statement: neither cites nor answers
            cited = citations.CitedAnswer()
        held = None if item.found is None else trust.held(item.found)
        gold = [one == citations.ENTAILED for one in labels] if item.claims else _found(item, line)
        wanted = [one for at, one in enumerate(gold) if held is None or at in held]
        spans = fine_grained(
            cited,
            documents=len(item.documents),
            length=len(line),
            found=wanted,
            refused=refused,
            should_refuse=None if item.answerable is None else not item.answerable,
            weights=replace(self._weights, most_missing=5 if item.kind == "qampari" else None),
        )
        if item.answerable is False and not refused:
            # a sentence about something else, well cited, is no better than to refuse
            spans = [one for one in spans if one.value < 0]
        spans = _said_once(spans, cited)
        if self.level == "holistic":
            spans = [holistic(spans, len(line))]
        start, _ = citations.first_line(text)
        return RewardedAnswer(
            text, tuple(replace(one, start=one.start + start, end=one.end + start) for one in spans)
        )

    def _exchanged(self, row: list[RewardedAnswer], seed: str, never_own: bool) -> list[RewardedAnswer]:
        """For the control the totals of a prompt's answers, each given to another one."""
        if self.level != "random":
            return row
        sound = [at for at, one in enumerate(row) if not one.error]
        others = random.Random(f"{seed}:rewards").sample(sound, len(sound))
        if never_own:
            sound, others = others, [*others[1:], *others[:1]]
        found = list(row)
        for at, other in zip(sound, others, strict=True):
            length = len(row[at].text)
            found[at] = replace(row[at], spans=(holistic(row[other].spans, length),))
        return found


def said_again(statements: Iterable[citations.Statement]) -> list[citations.Statement]:
    """Those that say what one before them says, in normal form (`text.normalise`), whatever they cite."""
    seen: set[str] = set()
    again = []
    for one in statements:
        said = normalise(one.text)
        if said in seen:
            again.append(one)
        seen.add(said)
    return again


def _said_once(spans: Sequence[SpanReward], cited: citations.CitedAnswer) -> list[SpanReward]:
    """Without what is earned for saying a statement again: else the longest answers would earn most."""
    again = said_again(one.statement for one in cited.statements)
    return [
        one
        for one in spans
        if one.value < 0
        or one.part not in ("recall", "precision")
        or not any(said.start <= one.start and one.end <= said.end for said in again)
    ]


def _found(item: CitedItem, line: str) -> list[bool]:
    """Which gold answers a text has, or a list."""
    if item.kind == "qampari":
        return list(gold_answers.listed(line, item.gold).given)
    return gold_answers.contained(line, item.gold)
