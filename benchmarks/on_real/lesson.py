"""Questions about countries for a real model, what it answers by itself, and a lesson made of them.

The key is the one of the embedded world (GeoNames), so no probe and no gather are needed: a gap is a question
that the model answers wrongly, its page is that of the library `atlas`, its reference a sentence with the
key's answer.  The answers are kept in the user's cache, by the model's name and size.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfstudy.atlas import language, world
from selfstudy.judging import counterfactual
from selfstudy.judging.correctness import Expected, states
from selfstudy.models.answering import from_document, from_memory
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Chat, Question, Rewording, Verdict
from selfstudy.teach import rehearsal
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.lesson import Lesson

ASKED = {
    "capital": "What is the capital of {x}?",
    "calling code": "What is the calling code of {x}?",
    "domain": "What is the internet domain of {x}?",
    "continent": "On which continent does {x} lie?",
}
TAUGHT = ("capital", "calling code")
"""Attributes whose gaps are taught: their answers are names and numbers of several tokens."""
SOME = 120
"""Countries that are asked for what is not the capital."""
TOKENS = 24
ANSWERING = Recipe().answering.model_copy(update={"max_new_tokens": TOKENS, "reading_tokens": TOKENS})


@dataclass(frozen=True)
class Asked:
    """A question of the world, and what the untaught model answered."""

    entity: str
    attribute: str
    text: str
    value: str
    said: str

    @property
    def right(self) -> bool:
        return states(self.said, [self.value], self.text)

    @property
    def statement(self) -> str:
        return language.statement(self.attribute, self.entity, self.value)


@dataclass(frozen=True)
class Test:
    """A question that is asked of every arm: right if the answer states `value`."""

    kind: str
    asked: str
    value: str
    chat: Chat


@dataclass(frozen=True)
class Material:
    """A lesson, and what to ask after it."""

    lesson: Lesson
    tests: list[Test]


def asked(lm: Any) -> list[Asked]:
    """The capital of every country, and the other attributes of SOME, with the model's greedy answers."""
    facts = [fact for fact in world.facts() if fact.kind == "country" and fact.attribute in ASKED]
    by_kind = {name: [fact for fact in facts if fact.attribute == name] for name in ASKED}
    rng = random.Random("asked")
    chosen = [
        fact
        for name, some in by_kind.items()
        for fact in (some if name == "capital" else rng.sample(some, SOME))
    ]
    found = [(fact, ASKED[fact.attribute].replace("{x}", fact.entity)) for fact in chosen]
    said = _cached(lm, [text for _, text in found])
    return [
        Asked(fact.entity, fact.attribute, text, fact.value, answer)
        for (fact, text), answer in zip(found, said, strict=True)
    ]


def material(found: Sequence[Asked], recipe: Recipe, *, gaps: int, replayed: int, known: int) -> Material:
    """A lesson of `gaps` questions that the model has wrong, beside some that it has right.

    Args:
        replayed: known questions that may be replayed; `known` others are asked, and never trained.
    """
    rng = random.Random(f"real lesson:{recipe.seed}")
    prompts = Prompts()
    pages = {page.title: page.text for page in world.documents()}
    wrong = [a for a in found if not a.right and a.attribute in TAUGHT and a.said]
    right = [a for a in found if a.right]
    taught = rng.sample(wrong, min(gaps, len(wrong)))
    kept = rng.sample(right, min(replayed + known, len(right)))
    questions = [_judged(a, pages[a.entity], held_out=False) for a in [*taught, *kept[:replayed]]]
    questions += [_judged(a, pages[a.entity], held_out=True) for a in kept[replayed:]]
    wordings = {a.text: _wordings(a, rng) for a in taught}
    rewordings = {
        q.question.id: [
            Rewording(question_id=q.question.id, text=text, use="train")
            for text in wordings[q.question.text][0]
        ]
        for q in questions[: len(taught)]
    }
    lesson = Lesson(recipe, prompts, questions[: len(taught)], questions, rewordings)

    def test(kind: str, text: str, value: str) -> Test:
        return Test(kind, text, value, prompts.chat("answer", question=text))

    tests = [test("gaps", a.text, a.value) for a in taught]
    tests += [test("held-out", wordings[a.text][1], a.value) for a in taught]
    tests += [test("novel", wordings[a.text][2], a.value) for a in taught]
    tests += [test("known", a.text, a.value) for a in kept[replayed:]]
    rehearsed = {e.question_id for e in rehearsal.swapped(lesson, 10_000)}
    names = {a.entity for q, a in zip(questions, [*taught, *kept], strict=True) if q.question.id in rehearsed}
    readers = [a for a in [*taught, *kept[replayed:]] if a.entity not in names][:gaps]
    changed = counterfactual.swapped(
        [a.text for a in readers],
        [Expected((a.value,), a.statement) for a in readers],
        [pages[a.entity] for a in readers],
    )
    for a, new in zip(readers, changed, strict=True):
        if new is not None:
            chat = prompts.chat("read", document=new.page, question=a.text)
            tests.append(Test("reading", a.text, new.answer, chat))
    return Material(lesson, tests)


def _wordings(one: Asked, rng: random.Random) -> tuple[list[str], str, str]:
    """Two to train on, one held out, one in the key's own novel words."""
    known = [
        text
        for text in language.wordings(one.attribute, one.entity)
        if text != one.text and not text.startswith("Why")
    ]
    first, second, held = rng.sample(known, 3)
    return [first, second], held, rng.choice(language.wordings(one.attribute, one.entity, novel=True))


def _judged(one: Asked, page: str, *, held_out: bool) -> JudgedQuestion:
    question = Question(text=one.text)
    known = one.right
    return JudgedQuestion(
        question=question,
        verdict=Verdict(question_id=question.id, kind="known" if known else "unknown", score=None),
        passage=one.said,
        samples=(),
        reference=one.statement,
        document=page,
        target=one.said if known else one.statement,
        read_target=one.statement,
        held_out=held_out,
    )


def answers(lm: Any, chats: Sequence[Chat]) -> list[str]:
    """Greedy answers of TOKENS tokens, with the recipe's own repetition penalty unless a page is in view."""
    reading = ["Document:" in chat[-1].content for chat in chats]
    found = [""] * len(chats)
    for kind, how in ((False, from_memory(ANSWERING, 0, 0)), (True, from_document(ANSWERING, 0, 0))):
        places = [i for i, one in enumerate(reading) if one is kind]
        for i, (answer,) in zip(places, lm.generate([chats[i] for i in places], how), strict=True):
            found[i] = answer.text
    return found


def _cached(lm: Any, questions: list[str]) -> list[str]:
    chats = [Prompts(demonstrations=True).chat("answer", question=one) for one in questions]
    size = sum(p.numel() for p in lm.model.parameters())
    name = hashlib.sha256(json.dumps([Path(lm.name).name, size, questions]).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selfstudy-benchmarks"
    path = cache / f"answers-{name}.json"
    if not path.exists():
        said = answers(lm, chats)
        cache.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(said))
    return list(json.loads(path.read_text()))
