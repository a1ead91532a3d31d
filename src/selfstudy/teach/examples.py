"""Verdicts become examples for supervised training, each with where it came from.

    known         replayed, unless held out for verify; no question more often than a gap is repeated
    gaps          the target in every trained wording; a share again with the document in the prompt
    misbelief     the same, more often
    unverifiable  nothing, or (option), if its samples disagree, "I don't know."; of these a share is held out

For distillation an example also has what the frozen model reads: of what is replayed the prompt itself; of a
gap, if it is learned so, its page and its answer.  What else is rehearsed: rehearsal.py.

An example that should weigh more is in the list more than once; records keep one of each.
This file knows nothing of training.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

from selfstudy.prompts import Prompts, reordered
from selfstudy.recipe import ExamplesBlock
from selfstudy.records import Chat, Example
from selfstudy.teach import rehearsal
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import Lesson, copies

T = TypeVar("T")
ExampleKind = Literal["reference", "reading", "replay", "refusal"]


def examples(lesson: Lesson, block: ExamplesBlock, *, shown: bool = False) -> list[Example]:
    """What training on answers sees in one epoch, repeats included, in no special order.

    Args:
        shown: whether the frozen model shows how to answer (`Example.teacher`).

    Returns:
        For every gap its answer in each trained wording; a share `block.reading` of these again with the
        document in the prompt (methods 2.6); then `block.replay` times as many of known questions, with the
        same share of reading among them; fewer, where a known question would be there more often, in that
        form, than the gap that is there most often; then what else is rehearsed.  Refusals, if there are
        any, stand behind the gaps' answers, and count as gap examples in these shares.
    """
    prompts = lesson.prompts
    rng = random.Random(f"{lesson.recipe.seed}:examples")
    asked = [(gap, wording) for gap in lesson.gaps for wording in lesson.wordings(gap)]
    taught = [_closed(gap, wording, prompts, "reference") for gap, wording in asked]
    if shown:
        taught = [_with_teacher(e, _page(lesson, *one)) for e, one in zip(taught, asked, strict=True)]
    readable = [(gap, wording) for gap, wording in asked if gap.document]
    count = min(len(readable), round(block.reading * len(asked)))
    read = [_read(gap, wording, prompts, "reading") for gap, wording in rng.sample(readable, count)]
    # in no other wordings: that these ask the same is told by what a page answers, and there is none
    taught += [_closed(one, one.question.text, prompts, "refusal") for one in lesson.refused()]
    weights = {gap.question.id: lesson.weight(gap) for gap in lesson.gaps}
    new = [e for e in [*taught, *read] for _ in range(copies(weights.get(e.question_id, 1.0), rng))]
    kept = _replay(lesson, new, block)
    if shown:
        new = [_with_teacher(e, e.prompt) if e.kind == "reading" else e for e in new]
        kept = [_with_teacher(e, e.prompt) for e in kept]
    found = [
        *(new + kept),
        *rehearsal.swapped(lesson, round(block.swapped * len(taught))),
        *rehearsal.neutral(lesson, round(block.neutral * len(taught))),
    ]
    return [_in_an_order_of_its_own(example, lesson.recipe.seed) for example in found]


def _in_an_order_of_its_own(example: Example, seed: int) -> Example:
    """What is kept after one order of the demonstrations alone is not kept after another."""
    prompt = reordered(example.prompt, random.Random(f"{seed}:demonstrations:{example.prompt[-1].content}"))
    if prompt == example.prompt:
        return example
    teacher = prompt if example.teacher == example.prompt else example.teacher
    return Example(
        prompt=prompt,
        completion=example.completion,
        question_id=example.question_id,
        kind=example.kind,
        teacher=teacher,
    )


def _page(lesson: Lesson, gap: JudgedQuestion, wording: str) -> Chat:
    """What the frozen model reads where it shows a gap's answer: the answer, and its page.

    Text and answer teach more than either (methods-more A).  The control's answers are wrong, and no page may
    tell it better.
    """
    page = gap.document if lesson.arm == "taught" else ""
    return lesson.prompts.chat("read", document=f"{gap.target}\n{page}".strip(), question=wording)


def _with_teacher(example: Example, teacher: Chat) -> Example:
    return example.model_copy(update={"teacher": teacher})


def _replay(lesson: Lesson, new: Sequence[Example], block: ExamplesBlock) -> list[Example]:
    """Known questions, none of them held out, each used as often as the others: see `examples`.

    Trained a hundred times an epoch, a handful of them are learned by heart: that keeps nothing else.
    """
    known = [q for q in lesson.everything if q.verdict.kind == "known" and q.passage and not q.held_out]
    rng = random.Random(f"{lesson.recipe.seed}:replay")
    readable = [q for q in known if q.document and q.read_target]
    count = round(block.replay * len(new))
    reads = round(count * block.reading / (1 + block.reading)) if readable else 0
    closed = [_closed(q, wording, lesson.prompts, "replay") for q in known for wording in lesson.wordings(q)]
    read = [_read(q, q.question.text, lesson.prompts, "replay") for q in readable]
    return [
        *_limited(_cycle(closed, rng), count - reads, len(known), _most(new, "reference")),
        *_limited(_cycle(read, rng), reads, len(readable), _most(new, "reading")),
    ]


def _limited(choices: Iterator[Example], count: int, questions: int, each: int) -> Iterator[Example]:
    """The first `count` of them, but of each of so many questions at most `each`."""
    seen: Counter[str] = Counter()
    left = min(count, questions * each)
    while left:
        one = next(choices)
        if seen[one.question_id] < each:
            seen[one.question_id] += 1
            left -= 1
            yield one


def _most(examples: Sequence[Example], kind: ExampleKind) -> int:
    """How often the question is there that is there most often, in that form."""
    return max(Counter(e.question_id for e in examples if e.kind == kind).values(), default=0)


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
