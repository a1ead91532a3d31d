"""What online training practises: prompts to which the model gives its answers while it is trained.

    prompts: FILE   lines of text, or rows of `prompt` and perhaps `document`, asked as they are
    else            the questions of gaps in every trained wording, or the prompts of imported lessons

A document is for who judges: to answer without it is what is practised.  What an answer is held to by a
rubric stands in a row (judging/rubric_columns.py); of a gap it is its reference, and not what the model
wrongly believes.  Knows nothing of training.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.files import reading
from selfstudy.files.rows import SUFFIXES, MalformedError, read_rows, text_of
from selfstudy.judging.rubric import Criterion, from_evidence
from selfstudy.judging.rubric_columns import claims_in
from selfstudy.judging.rubric_reward import NO_RUBRIC
from selfstudy.models import transcripts
from selfstudy.models.base import chat
from selfstudy.recipe import OnlineDPOBlock
from selfstudy.records import Chat, digest
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.rewarding import Rewards


@dataclass(frozen=True, slots=True)
class OnlinePrompt:
    """A prompt to practise.

    Attributes:
        prompt: what the model is asked.
        shown: the same as a judge sees it.
        question_id: of the question; of a prompt of a file, of its text.
        criteria: the rubric of its answers; empty where nothing says what they are held to.
    """

    prompt: Chat
    shown: str
    question_id: str
    criteria: tuple[Criterion, ...] = ()


@dataclass(frozen=True)
class Practice:
    """What is practised, and what answers are worth."""

    exercises: Sequence[OnlinePrompt]
    rewards: Rewards

    def __len__(self) -> int:
        return len(self.exercises)

    def batch(self, seed: int, step: int, size: int) -> list[OnlinePrompt]:
        """The exercises of a step, counted from 0: all in random order, then all again in another one.

        It depends on the arguments alone, not on what was asked for before.
        """
        return [self.exercises[place] for place in places(len(self), seed, step, size)]


def places(count: int, seed: int, step: int, size: int) -> list[int]:
    """The places of a step's exercises among `count`; see `Practice.batch`."""
    found = [divmod(at, count) for at in range(step * size, (step + 1) * size)]
    orders = {
        pass_: random.Random(f"{seed}:practice:{pass_}").sample(range(count), count) for pass_, _ in found
    }
    return [orders[pass_][place] for pass_, place in found]


def exercises(
    lesson: Lesson, block: OnlineDPOBlock, fail: Callable[[str, str], None] = lambda item, why: None
) -> list[OnlinePrompt]:
    """What a lesson, or the file of `block`, has to practise; the same for the control.

    Args:
        fail: is told of each row of the file that is of no use, and why; where a rubric rewards, also of each
            imported prompt (by its question's id), for it has none.
    """
    found = _exercises(lesson, block, fail)
    if not block.reward.by_rubric:
        return found
    for one in found:
        if not one.criteria:
            fail(one.question_id, NO_RUBRIC)
    return [one for one in found if one.criteria]


def _exercises(lesson: Lesson, block: OnlineDPOBlock, fail: Callable[[str, str], None]) -> list[OnlinePrompt]:
    if block.prompts is not None:
        return list(_of_file(block.prompts, block, fail))
    if lesson.imported:
        asked = {one.prompt: one.question_id for one in lesson.imported.examples}  # of pairs too
        return [OnlinePrompt(prompt, transcripts.shown(prompt), name) for prompt, name in asked.items()]
    return [
        OnlinePrompt(
            lesson.prompts.chat("answer", question=wording),
            _shown(wording, gap.document, block),
            gap.question.id,
            _held_to(gap) if block.reward.by_rubric else (),
        )
        for gap in lesson.gaps
        for wording in lesson.wordings(gap)
    ]


def _held_to(gap: JudgedQuestion) -> tuple[Criterion, ...]:
    return from_evidence([gap.reference], (), [gap.passage] if gap.verdict.kind == "misbelief" else [])


def _of_file(path: Path, block: OnlineDPOBlock, fail: Callable[[str, str], None]) -> Iterator[OnlinePrompt]:
    if path.suffix.lower() not in SUFFIXES:
        lines = dict.fromkeys(line.strip() for line in reading.text(path).splitlines() if line.strip())
        yield from (OnlinePrompt(chat(line), line, digest(line)) for line in lines)
        return  # a recipe whose reward goes by rubrics has no such file
    for row in read_rows(path):
        try:
            if row.value is None:
                raise MalformedError(row.problem)
            prompt = text_of(row.value.get("prompt"), "prompt").strip()
            document = text_of(row.value.get("document") or "", "document").strip()
            criteria = from_evidence(*claims_in(row.value)) if block.reward.by_rubric else ()
            if not prompt:
                raise MalformedError("its prompt is empty")
            if block.reward.by_rubric and not criteria:
                raise MalformedError(NO_RUBRIC)
        except MalformedError as error:
            fail(f"{path.name}, {row.place}", str(error))
        else:
            yield OnlinePrompt(chat(prompt), _shown(prompt, document, block), digest(prompt), criteria)


def _shown(prompt: str, document: str, block: OnlineDPOBlock) -> str:
    return f"Document: {document}\n{prompt}" if document and block.judge_reads else prompt
