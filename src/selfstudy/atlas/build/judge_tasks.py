"""What atlas-lm practises as a judge: is a statement right, is it supported, what does an answer lack?

A task is a function of a `Draw` that returns one `Sample`, as in lm_tasks.py.
"""

from __future__ import annotations

import json
import random

from selfstudy.atlas import language
from selfstudy.atlas.build.draw import Draw, Sample, listed, turns
from selfstudy.atlas.build.invented import invented_names
from selfstudy.judging import rubric
from selfstudy.judging.missing import HIGHEST, LOWEST
from selfstudy.records import Message

SAME = "Same or not?\n{pairs}"
REQUESTS = ("Tell me {l} of {x}.", "State {l} of {x}.", "Please give {l} of {x}.")
"""How several attributes are asked for at once."""
READ = "Document: {d}\n{q}"
"""A prompt that brings its document along."""


def noun(attribute: str) -> str:
    """The first word for an attribute."""
    return language.NOUNS[attribute][0][0]


def request(rng: random.Random, attributes: list[str], name: str) -> str:
    """Asks for all of these attributes at once."""
    wanted = listed([f"the {noun(a)}" for a in attributes])
    return rng.choice(REQUESTS).format(l=wanted, x=name)


def same(d: Draw) -> Sample:
    """Which pairs say the same: the plainest practice in comparing, as `repeat` is in reading."""
    rows, said = [], []
    for number in range(d.rng.randint(3, 8)):
        name, kind = d.entity()
        attribute = d.rng.choice(language.ATTRIBUTES[kind])
        value, alike = d.value(attribute), d.rng.random() < 0.5
        other, whose = value, name
        if not alike:
            other, whose = (d.value(attribute), name) if d.rng.random() < 0.6 else (value, d.entity()[0])
        if d.rng.random() < 0.5:
            first, second = (language.statement(attribute, n, v) for n, v in ((name, value), (whose, other)))
        elif (name, value) != (whose, other) and whose != name:
            first, second = name, whose
        else:
            first, second = value, other
        rows.append(f"{number + 1}. {first} / {second}")
        said.append("yes" if first == second else "no")
    ask = Message(role="user", content=SAME.format(pairs="\n".join(rows)))
    return Sample("comparing", turns((ask,), " ".join(said)))


def grade(d: Draw) -> Sample:
    """Self-reflection: is this answer correct? Known facts told right and wrong; invented names: unsure."""
    if d.rng.random() < 0.3:
        name, kind = d.rng.choice(invented_names()), d.rng.choice(("country", "city"))
        attribute = d.rng.choice(language.ATTRIBUTES[kind])
        value, verdict = d.value(attribute), "unsure"
    else:
        fact = d.rng.choice(d.known)
        name, attribute, value, verdict = fact.entity, fact.attribute, fact.value, "correct"
        if d.rng.random() < 0.5:
            other = d.value(attribute)
            value, verdict = other, "correct" if other == value else "incorrect"
    answer = language.statement(attribute, name, value)
    return Sample(
        "grading",
        turns(d.prompts.chat("grade", question=d.question(attribute, name), answer=answer), verdict),
    )


def reflect(d: Draw) -> Sample:
    """An answer and then whether it is correct: the plainest practice in grading.

    What is right is learned as an answer too, so that the fact is there where it is compared.
    """
    graded = grade(d)
    asked, verdict = graded.chat[-2].content, graded.chat[-1].content
    question, answer, ask = asked.split("\n")
    said = Message(
        role="assistant", content=answer.removeprefix("Answer: "), demonstration=verdict != "correct"
    )
    chat = (*d.prompts.chat("answer", question=question.removeprefix("Question: ")), said)
    return Sample("grading", (*chat, Message(role="user", content=ask), graded.chat[-1]))


def support(d: Draw) -> Sample:
    """Does one sentence support another? (the judge of SelfCheck's LLM variant)"""
    name, kind = d.entity()
    attribute = d.rng.choice(language.ATTRIBUTES[kind])
    value = d.value(attribute)
    other = value if d.rng.random() < 0.5 else d.value(attribute)
    wording = d.rng if d.rng.random() < 0.5 else None
    context = language.statement(attribute, name, other, wording)
    sentence = language.statement(attribute, name, value, wording)
    if other != value and d.rng.random() < 0.3:
        context = language.statement(attribute, d.entity()[0], value, d.rng)
        if name in context:
            other = value
    verdict = "yes" if other == value and name in context else "no"
    return Sample("grading", turns(d.prompts.chat("support", context=context, sentence=sentence), verdict))


def missing(d: Draw) -> Sample:
    """What a response lacks: goes through what was asked, item by item, then rates."""
    name, kind = d.entity()
    facts = {a: d.value(a) for a in language.ATTRIBUTES[kind]}
    document, stated = d.text(name, kind, facts, d.rng.choice((3, 4, 6, 9)))
    if reads := d.rng.random() < 0.4:
        asked = d.rng.sample(stated, min(len(stated), d.rng.choice((1, 2, 2, 3, 3, 4))))
    else:
        asked = d.rng.sample(language.ATTRIBUTES[kind], d.rng.choice((1, 2, 2, 3, 3, 4)))
    given = [a for a in asked if d.rng.random() < 0.6]
    said = given if given or d.rng.random() < 0.3 else [d.rng.choice(language.ATTRIBUTES[kind])]
    given = [a for a in asked if a in said]
    d.rng.shuffle(said)
    response = " ".join(language.statement(a, name, facts[a], d.rng) for a in said) or "I do not know."
    prompt = request(d.rng, asked, name)
    chat = d.prompts.chat(
        "missing", prompt=READ.format(d=document, q=prompt) if reads else prompt, response=response
    )
    verdicts = " ".join(f"{noun(a).capitalize()}: {'given' if a in given else 'missing'}." for a in asked)
    lacks = [f"the {noun(a)}" for a in asked if a not in given]
    rating = 1 + round(9 * len(given) / len(asked))
    lack = f"{listed(lacks)} of {name}" if lacks else ""
    return Sample("judging", turns(chat, f"{verdicts} [[{rating}]] [[[{lack}]]]"))


def rubric_verdicts(d: Draw) -> Sample:
    """Of each criterion whether a response meets it."""
    values, criteria, met = _held(d)
    rows = [
        {"name": n, "reason": "it does" if yes else "it does not", "verdict": "yes" if yes else "no"}
        for n, yes in enumerate(met, start=1)
    ]
    chat = d.prompts.chat("rubric_verdicts", **values, criteria=rubric.numbered(criteria))
    return Sample("judging", turns(chat, json.dumps(rows)))


def rubric_rating(d: Draw) -> Sample:
    """One number for all criteria: what the verdicts add up to."""
    values, criteria, met = _held(d)
    rating = LOWEST + round((HIGHEST - LOWEST) * rubric.explicit(criteria, met))
    said = {"reason": f"{sum(met)} of {len(met)}", "rating": rating}
    chat = d.prompts.chat("rubric_rating", **values, criteria=rubric.numbered(criteria))
    return Sample("judging", turns(chat, json.dumps(said)))


def compare(d: Draw) -> Sample:
    """Which of two responses gives more of what was asked."""
    name, kind = d.entity()
    asked = d.rng.sample(language.ATTRIBUTES[kind], d.rng.choice((1, 2, 3, 4)))
    given = [[a for a in asked if d.rng.random() < 0.6] for _ in range(2)]
    first, second = (
        " ".join(language.statement(a, name, d.value(a), d.rng) for a in some) or "I do not know."
        for some in given
    )
    less, more = sorted(map(len, given))
    verdict = "tie" if less == more else "first" if len(given[0]) == more else "second"
    chat = d.prompts.chat("compare", prompt=request(d.rng, asked, name), first=first, second=second)
    return Sample("judging", turns(chat, verdict))


def _held(d: Draw) -> tuple[dict[str, str], tuple[rubric.Criterion, ...], tuple[bool, ...]]:
    """A prompt and a response, the criteria that it is held to, and which of them it meets."""
    name, kind = d.entity()
    chosen = d.rng.sample(language.ATTRIBUTES[kind], d.rng.choice((1, 2, 3, 4)))
    asked = chosen[: d.rng.randint(1, len(chosen))]
    right = {a: d.value(a) for a in chosen}
    wrong = {a: d.value(a) for a in asked if d.rng.random() < 0.3}
    wrong = {a: value for a, value in wrong.items() if value != right[a]}
    said: dict[str, str] = {}
    for a in chosen:
        if d.rng.random() < (0.65 if a in asked else 0.3):
            said[a] = wrong[a] if a in wrong and d.rng.random() < 0.5 else right[a]
    criteria = rubric.from_evidence(
        [language.statement(a, name, right[a]) for a in asked],
        [language.statement(a, name, right[a]) for a in chosen if a not in asked],
        [language.statement(a, name, value) for a, value in wrong.items()],
    )
    met = (
        *(said.get(a) == right[a] for a in chosen),
        *(said.get(a) != value for a, value in wrong.items()),
    )
    order = list(said)
    d.rng.shuffle(order)
    response = " ".join(language.statement(a, name, said[a]) for a in order) or "I do not know."
    return {"prompt": request(d.rng, asked, name), "response": response}, criteria, met
