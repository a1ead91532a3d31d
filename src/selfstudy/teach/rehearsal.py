"""What is rehearsed beside known questions, so that teaching does not unlearn it: reading, and all the rest.

    swapped   a page in which the answer is another one, which is to be given: who does not read is wrong
    neutral   what the built-in prompts demonstrate: there the model is to stay as it was

Pages of known questions that are trained, and every other page of gaps: verify asks for reading from the
others.  A page that several questions share is in one half with all of them.
Knows nothing of training.
"""

from __future__ import annotations

import random

from selfstudy.judging import counterfactual
from selfstudy.judging.correctness import Expected
from selfstudy.prompts import demonstrated
from selfstudy.records import Example, Message
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import Lesson

_ROUNDS = 8
"""How often pages are gone through for yet another answer."""


def swapped(lesson: Lesson, count: int) -> list[Example]:
    """`count` examples of reading from pages that answer something else, or as many as there are.

    Each page comes with several answers, so that no single one is learned by heart.
    """
    pages = _pages(lesson) if count else []
    found: dict[str, Example] = {}
    for number in range(_ROUNDS):
        rng = random.Random(f"{lesson.recipe.seed}:swapped:{number}")
        some = rng.sample(pages, len(pages))
        changed = counterfactual.swapped(
            [q.question.text for q in some],
            [Expected((), q.read_target) for q in some],
            [q.document for q in some],
        )
        for asked, new in zip(some, changed, strict=True):
            if new is not None and new.statement and len(found) < count:
                chat = lesson.prompts.chat("read", document=new.page, question=asked.question.text)
                example = Example(
                    prompt=chat, completion=new.statement, question_id=asked.question.id, kind="swapped"
                )
                found.setdefault(example.id, example)
    return list(found.values())


def _pages(lesson: Lesson) -> list[JudgedQuestion]:
    """Questions whose pages verify does not ask for reading from."""
    readable = [q for q in lesson.everything if q.document and q.read_target]
    gaps = {gap.question.id for gap in lesson.gaps}
    pages = list(dict.fromkeys(gap.document for gap in lesson.gaps))
    tested = set(random.Random(f"{lesson.recipe.seed}:pages").sample(pages, len(pages))[::2])
    return [
        q
        for q in readable
        if q.document not in tested
        if q.question.id in gaps or (q.verdict.kind == "known" and not q.held_out)
    ]


def neutral(lesson: Lesson, count: int) -> list[Example]:
    """`count` examples without anything to learn, each as often as the others; the model teaches itself."""
    rng = random.Random(f"{lesson.recipe.seed}:neutral")
    shown = [
        Example(prompt=chat, completion=answer, question_id="", kind="neutral", teacher=chat)
        for asked, answer in (demonstrated() if count else ())
        for chat in [(Message(role="user", content=asked),)]
    ]
    order = rng.sample(shown, len(shown))
    return [order[i % len(order)] for i in range(count)] if order else []
