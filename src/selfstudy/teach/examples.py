"""Verdicts become examples for supervised training, each with where it came from.

    known         replayed, unless held out for verify
    gaps          the target in every trained wording; a share again with the document in the prompt
    misbelief     the same, more often
    unverifiable  nothing, or (option), if its samples disagree, "I don't know."

An example that should weigh more is in the list more than once; records keep one of each.
This file knows nothing of training.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal, TypeVar

from selfstudy.prompts import Prompts
from selfstudy.recipe import SFTBlock
from selfstudy.records import Example
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import REFUSAL, Lesson, copies

T = TypeVar("T")
ExampleKind = Literal["reference", "reading", "replay"]


def examples(lesson: Lesson, block: SFTBlock) -> list[Example]:
    """What supervised training sees in one epoch, repeats included, in no special order.

    Returns:
        For every gap its answer in each trained wording; a share `block.reading` of these again with the
        document in the prompt (methods 2.6); then `block.replay` times as many of known questions, with the
        same share of reading among them.
    """
    prompts = lesson.prompts
    rng = random.Random(f"{lesson.recipe.seed}:examples")
    asked = [(gap, wording) for gap in lesson.gaps for wording in lesson.wordings(gap)]
    taught = [_closed(gap, wording, prompts, "reference") for gap, wording in asked]
    readable = [(gap, wording) for gap, wording in asked if gap.document]
    count = min(len(readable), round(block.reading * len(asked)))
    read = [_read(gap, wording, prompts, "reading") for gap, wording in rng.sample(readable, count)]
    taught += [
        Example(
            prompt=prompts.chat("answer", question=one.question.text),
            completion=REFUSAL,
            question_id=one.question.id,
            kind="reference",
        )
        for one in lesson.refused()
    ]
    weights = {gap.question.id: lesson.weight(gap) for gap in lesson.gaps}
    new = [e for e in [*taught, *read] for _ in range(copies(weights.get(e.question_id, 1.0), rng))]
    return new + _replay(lesson, round(block.replay * len(new)), block.reading)


def _replay(lesson: Lesson, count: int, reading: float) -> list[Example]:
    """`count` examples of known questions, none of them held out, each used as often as the others."""
    known = [q for q in lesson.everything if q.verdict.kind == "known" and q.passage and not q.held_out]
    rng = random.Random(f"{lesson.recipe.seed}:replay")
    readable = [q for q in known if q.document and q.read_target]
    reads = round(count * reading / (1 + reading)) if readable else 0
    closed = [_closed(q, q.question.text, lesson.prompts, "replay") for q in known]
    read = [_read(q, q.question.text, lesson.prompts, "replay") for q in readable]
    return [*islice(_cycle(closed, rng), count - reads), *islice(_cycle(read, rng), reads)]


def _closed(asked: JudgedQuestion, wording: str, prompts: Prompts, kind: ExampleKind) -> Example:
    chat = prompts.chat("answer", question=wording)
    return Example(prompt=chat, completion=asked.target, question_id=asked.question.id, kind=kind)


def _read(asked: JudgedQuestion, wording: str, prompts: Prompts, kind: ExampleKind) -> Example:
    chat = prompts.chat("read", document=asked.document, question=wording)
    return Example(prompt=chat, completion=asked.read_target, question_id=asked.question.id, kind=kind)


def _cycle(choices: Sequence[T], rng: random.Random) -> Iterator[T]:
    """All choices in random order, again and again, in a new order each time."""
    while choices:
        yield from rng.sample(choices, len(choices))
