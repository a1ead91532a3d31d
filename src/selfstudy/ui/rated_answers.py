"""Which answers of a run are put before a person: of the questions that have different ones, some.

They are drawn by the hash of the question's text, and stand in an order that tells nothing of who gave them.
Knows nothing of ratings.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from selfstudy.records import Answer, Arm, Check, Question, digest
from selfstudy.run import Run
from selfstudy.show.words import ARMS

LONGEST = 20_000
"""Characters of an answer, and of a question: nobody reads more."""
MOST_EACH = 8
"""Different answers to a question."""


@dataclass(frozen=True)
class AnswerOf:
    """An answer.

    Attributes:
        correct: what verify found; None: not judged, or not alike.
        arms: who gave it, of `Arm`.
    """

    prompt: str
    text: str
    correct: bool | None
    arms: tuple[Arm, ...]


@dataclass
class _Answers:
    """The different answers to a question, each with what verify found and who gave it."""

    found: dict[str, tuple[set[bool], set[Arm]]] = field(default_factory=dict)

    def add(self, text: str, correct: bool | None, arm: Arm) -> None:
        said = text.strip()
        if said and len(said) <= LONGEST:
            right, arms = self.found.setdefault(said, (set(), set()))
            arms.add(arm)
            if correct is not None:
                right.add(correct)

    def of(self, prompt: str) -> Iterator[AnswerOf]:
        for text in sorted(self.found, key=lambda text: digest(prompt, text))[:MOST_EACH]:
            right, arms = self.found[text]
            correct = next(iter(right)) if len(right) == 1 else None
            yield AnswerOf(prompt, text, correct, tuple(arm for arm in _IN_ORDER if arm in arms))


_IN_ORDER: tuple[Arm, ...] = tuple(ARMS)  # type: ignore[arg-type]


def of_verify(run: Run, most: int) -> list[AnswerOf]:
    """What verify was answered by all arms, of at most `most` questions; none with a page in the prompt."""
    first: dict[str, str | None] = {}
    """The first answer to a question; None: there is another one."""
    for one in _checks(run, None):
        before = first.setdefault(one.asked, one.answer.strip())
        if before is not None and before != one.answer.strip():
            first[one.asked] = None
    wanted = _drawn((text for text, only in first.items() if only is None), most)
    found = {text: _Answers() for text in wanted}
    for one in _checks(run, set(wanted)):
        found[one.asked].add(one.answer, one.correct, one.arm)
    return _chosen(found)


def _checks(run: Run, asked: set[str] | None) -> Iterator[Check]:
    for part in run.rounds:
        for one in part.iter(Check) if asked is None else part.where(Check, "asked", asked):
            sound = one.error is None and one.target != "reading" and one.order == 0
            if sound and one.answer.strip() and len(one.answer) <= LONGEST and len(one.asked) <= LONGEST:
                yield one


def of_probe(run: Run, most: int) -> list[AnswerOf]:
    """The model's first answers and its samples, of at most `most` questions."""
    several = {
        one.question_id
        for part in run.rounds
        for one in part.iter(Answer)
        if len({said.text.strip() for said in (one.passage, *one.samples)} - {""}) > 1
    }
    texts = {
        one.id: one.text
        for part in run.rounds
        for one in part.where(Question, "id", several)
        if len(one.text) <= LONGEST
    }
    wanted = _drawn(texts.values(), most)
    found = {text: _Answers() for text in wanted}
    ids = {name for name, text in texts.items() if text in found}
    for part in run.rounds:
        for one in part.where(Answer, "question_id", ids):
            for said in (one.passage, *one.samples):
                found[texts[one.question_id]].add(said.text, None, "base")
    return _chosen(found)


def _drawn(texts: Iterable[str], most: int) -> list[str]:
    return heapq.nsmallest(most, set(texts), key=digest)


def _chosen(found: dict[str, _Answers]) -> list[AnswerOf]:
    """All answers to those questions that have several which are not too long."""
    return [one for text, answers in found.items() if len(answers.found) > 1 for one in answers.of(text)]
