"""Seeded draws from the world, of which every task of atlas-lm is made.

True facts come from known entities alone.  Withheld names occur in lists, questions, rewordings and
*counterfactual* readings (their pages hold random values), never with a fact of theirs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from selfstudy.atlas import language, world
from selfstudy.atlas.build.invented import invented_names
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Message

TELL = "Tell me about {x}."

_SYLLABLES = [c + v + e for c in "bdfgklmnprstvz" for v in "aeiou" for e in ("", "l", "n", "r", "s")]


@dataclass(frozen=True, slots=True)
class Sample:
    """A chat to learn from; loss falls on assistant turns, but for demonstrations."""

    task: str
    chat: Chat


@dataclass
class Draw:
    """Seeded draws from the world."""

    rng: random.Random
    prompts: Prompts = field(default_factory=Prompts().without_demonstrations)

    def __post_init__(self) -> None:
        self.known = world.facts(known=True)
        self.entities = world.entities()
        self.known_entities = [e for e in self.entities if e.known]
        self.pools: dict[str, list[str]] = {}
        for fact in world.facts():
            for name in world.names_in(fact.attribute, fact.value):
                self.pools.setdefault(fact.attribute, []).append(name)
        self.pools = {a: sorted(set(v)) for a, v in self.pools.items()}

    def entity(self) -> tuple[str, str]:
        """(name, kind) of any entity, sometimes an invented one."""
        if self.rng.random() < 0.2:
            return self.rng.choice(invented_names()), self.rng.choice(("country", "country", "city"))
        e = self.rng.choice(self.entities)
        return e.name, e.kind

    def strange(self) -> str:
        """A name in several tokens, as the world has none."""
        parts = [self.rng.choice(_SYLLABLES) for _ in range(self.rng.choice((2, 2, 3)))]
        return "".join(parts).capitalize() + self.rng.choice(("", "", "ia", "land", "ville", "mora"))

    def value(self, attribute: str) -> str:
        """A random value of the right type: what counterfactual pages and the ignorant say."""
        rng = self.rng
        if attribute in ("languages", "neighbours"):
            found = sorted(
                rng.sample(
                    self.pools[attribute],
                    rng.choice((1, 2, 2, 3, 3, 4)[: 5 if attribute == "languages" else 6]),
                )
            )
            return listed(found)
        if attribute == "calling code":
            code = f"+{rng.randint(20, 999)}"
            return f"+1-{rng.randint(200, 999)}" if rng.random() < 0.12 else code
        if attribute == "latitude":
            return f"{rng.randint(0, 60)} degrees {rng.choice(('north', 'south'))}"
        if attribute in ("population", "area"):
            return self.number() + (" square kilometres" if attribute == "area" else "")
        return rng.choice(self.pools[attribute])

    def number(self) -> str:
        rng = self.rng
        digits = rng.choice(
            (
                f"{rng.randint(1, 9)}.{rng.randint(1, 9)}",
                str(rng.randint(1, 9)),
                str(rng.randint(10, 99)),
                str(rng.randint(10, 99) * 10),
            )
        )
        unit = rng.choice(("thousand", "thousand", "million", "million", ""))
        return f"{digits} {unit}" if unit else str(rng.randint(10, 99) * rng.choice((1, 10)))

    def facts(self, truth: float = 0.2) -> tuple[str, str, dict[str, str]]:
        """(name, kind, attribute -> value): a known entity's true facts with chance `truth`, else made up."""
        if self.rng.random() < truth:
            e = self.rng.choice(self.known_entities)
            return e.name, e.kind, {f.attribute: f.value for f in e.facts}
        name, kind = self.entity()
        return name, kind, {a: self.value(a) for a in language.ATTRIBUTES[kind]}

    def text(self, name: str, kind: str, facts: dict[str, str], most: int) -> tuple[str, list[str]]:
        """A page of at most `most` of the facts, and the attributes that are in it."""
        chosen = self.rng.sample(sorted(facts), min(most, len(facts)))
        lines = [language.statement(a, name, facts[a], self.rng) for a in chosen]
        if self.rng.random() < 0.7:
            lines.insert(0, language.header(name, kind))
        return " ".join(lines), chosen

    def question(self, attribute: str, name: str, asking: bool = False) -> str:
        """A wording from pre-training; with `asking`, one that ends in a question mark."""
        options = language.templates(attribute)
        while True:
            template = self.rng.choice(options if self.rng.random() < 0.6 else language.SPECIFIC[attribute])
            if not asking or template.endswith("?"):
                return template.replace("{x}", name)


def listed(items: list[str]) -> str:
    """a, b and c"""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def turns(chat: Chat, *answers_and_more: str) -> Chat:
    """The chat followed by alternating assistant and user turns."""
    turns = list(chat)
    for number, text in enumerate(answers_and_more):
        turns.append(Message(role="assistant" if number % 2 == 0 else "user", content=text))
    return tuple(turns)


def dialogue(d: Draw, prompt: str, items: list[tuple[dict[str, str], str]]) -> Chat:
    """Several exchanges of one prompt in a row, its system part once."""
    chat = turns(d.prompts.chat(prompt, **items[0][0]), items[0][1])
    for values, answer in items[1:]:
        chat = (*chat, d.prompts.chat(prompt, **values)[-1], Message(role="assistant", content=answer))
    return chat


def several(task: Callable[[Draw], Sample], most: int) -> Callable[[Draw], Sample]:
    """The task one to `most` times in a row, its system part once: more practice in as many tokens."""

    def in_a_row(d: Draw) -> Sample:
        first = task(d)
        chat = first.chat
        for _ in range(d.rng.randint(0, most - 1)):
            chat = (*chat, *task(d).chat[1:])
        return Sample(first.task, chat)

    return in_a_row
